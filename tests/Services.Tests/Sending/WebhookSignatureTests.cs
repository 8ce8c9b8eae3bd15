using System.Text;
using Notifications.Sending;

namespace Services.Tests;

public sealed class WebhookSignatureTests
{
    [Theory]
    [InlineData("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, """{"test": 2432232314}""", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=")]
    [InlineData("C2FVsBQIhrscChlQIMV+b5sSYspob7oD", "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk", 1649367553, """{"email":"test@example.com","username":"test_user"}""", "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=")]
    public void Signatures_are_those_of_the_specification(string secret, string id, long timestamp, string body, string expected) =>
        WebhookSignature.Sign(id, timestamp, Encoding.UTF8.GetBytes(body), [Convert.FromBase64String(secret)]).ShouldBe(expected);

    [Fact]
    public void During_a_rotation_both_keys_sign()
    {
        byte[][] keys = [[1, 2, 3], [4, 5, 6]];

        WebhookSignature.Sign("id", 1, [7], keys)
            .ShouldBe($"{WebhookSignature.Sign("id", 1, [7], keys[..1])} {WebhookSignature.Sign("id", 1, [7], keys[1..])}");
    }
}
