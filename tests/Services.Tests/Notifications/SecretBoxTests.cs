using System.Security.Cryptography;
using System.Text;
using MassTransit;
using Notifications;

namespace Services.Tests;

public sealed class SecretBoxTests
{
    private readonly Guid owner = NewId.NextGuid();
    private readonly byte[] key = RandomNumberGenerator.GetBytes(32);
    private readonly byte[] secret = Encoding.UTF8.GetBytes("a secret");

    [Fact]
    public void What_is_sealed_can_be_opened_and_not_be_read()
    {
        var sealedOnce = new SecretBox(key).Seal(owner, secret);

        new SecretBox(key).Open(owner, sealedOnce).ShouldBe(secret);
        Encoding.Latin1.GetString(sealedOnce).ShouldNotContain("a secret");
        new SecretBox(key).Seal(owner, secret).ShouldNotBe(sealedOnce);
    }

    [Fact]
    public void It_opens_for_its_owner_only()
    {
        var box = new SecretBox(key);

        Should.Throw<CryptographicException>(() => box.Open(NewId.NextGuid(), box.Seal(owner, secret)));
    }

    [Fact]
    public void Every_byte_counts()
    {
        var box = new SecretBox(key);
        var whole = box.Seal(owner, secret);
        for (var i = 0; i < whole.Length; i++)
        {
            var changed = whole.ToArray();
            changed[i] ^= 1;
            Should.Throw<CryptographicException>(() => box.Open(owner, changed));
        }

        Should.Throw<CryptographicException>(() => box.Open(owner, whole.AsSpan(0, 10)));
    }

    [Fact]
    public void A_new_key_seals_and_the_one_before_still_opens()
    {
        var old = new SecretBox(key).Seal(owner, secret);
        var newKey = RandomNumberGenerator.GetBytes(32);
        var both = new SecretBox(newKey, key);

        both.Open(owner, old).ShouldBe(secret);
        new SecretBox(newKey).Open(owner, both.Seal(owner, secret)).ShouldBe(secret);
        Should.Throw<CryptographicException>(() => new SecretBox(newKey).Open(owner, old)).Message.ShouldContain("not configured");
    }
}
