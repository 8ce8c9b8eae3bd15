using System.Security.Cryptography;

namespace Notifications;

/// <summary>Seals what must not be read in the database: AES-256-GCM with keys from the configuration.</summary>
/// <remarks>
/// A sealed value is: version (1), the key's name (4), nonce (12), tag (16), ciphertext. It opens only with the id of the
/// row that it was sealed for, so that one copied to another row is worth nothing.
/// </remarks>
public sealed class SecretBox
{
    private const byte Version = 1;
    private const int NameLength = 4;
    private const int NonceLength = 12;
    private const int TagLength = 16;
    private const int HeadLength = 1 + NameLength + NonceLength + TagLength;

    private readonly byte[][] _keys;

    /// <summary>Makes a box.</summary>
    /// <param name="key">The key that seals: 32 bytes.</param>
    /// <param name="previous">Those that still open what was sealed before.</param>
    public SecretBox(byte[] key, params byte[][] previous) => _keys = [key, .. previous];

    /// <summary>Seals a value for a row.</summary>
    public byte[] Seal(Guid owner, ReadOnlySpan<byte> value)
    {
        var box = new byte[HeadLength + value.Length];
        box[0] = Version;
        NameOf(_keys[0]).CopyTo(box.AsSpan(1));
        var nonce = box.AsSpan(1 + NameLength, NonceLength);
        RandomNumberGenerator.Fill(nonce);
        using var aes = new AesGcm(_keys[0], TagLength);
        aes.Encrypt(nonce, value, box.AsSpan(HeadLength), box.AsSpan(1 + NameLength + NonceLength, TagLength), owner.ToByteArray());
        return box;
    }

    /// <summary>Opens a value that was sealed for this row.</summary>
    /// <exception cref="CryptographicException">It was not, or not with a key that is configured.</exception>
    public byte[] Open(Guid owner, ReadOnlySpan<byte> box)
    {
        if (box.Length < HeadLength || box[0] != Version)
        {
            throw new CryptographicException("A sealed value was expected and something else was found.");
        }

        var name = box.Slice(1, NameLength).ToArray();
        var key = Array.Find(_keys, k => NameOf(k).SequenceEqual(name))
            ?? throw new CryptographicException(
                $"A secret was sealed with a key that is not configured any more; {EncryptionKeys.Previous} may name it.");
        var value = new byte[box.Length - HeadLength];
        using var aes = new AesGcm(key, TagLength);
        aes.Decrypt(
            box.Slice(1 + NameLength, NonceLength), box[HeadLength..], box.Slice(1 + NameLength + NonceLength, TagLength), value, owner.ToByteArray());
        return value;
    }

    // Four bytes of a hash: enough to tell a few keys apart, and nothing about the key.
    private static ReadOnlySpan<byte> NameOf(byte[] key) => SHA256.HashData(key).AsSpan(0, NameLength);
}
