using System.Globalization;
using System.Net;
using System.Net.Http.Json;
using System.Security.Cryptography;
using System.Text;

namespace Services.Tests;

public sealed class MerchantTests : IAsyncLifetime
{
    private const string Body = """{"type":"points.credited","data":{"amount":100}}""";
    private static readonly byte[] Key = [.. Enumerable.Range(1, 24).Select(i => (byte)i)];
    private static readonly string Secret = $"whsec_{Convert.ToBase64String(Key)}";

    private readonly SimulatorApp app = new();
    private readonly HttpClient client;

    public MerchantTests() => client = app.CreateDefaultClient();   // follows no redirects

    [Fact]
    public async Task Takes_what_is_signed_with_its_secret()
    {
        (await Send(Signed())).StatusCode.ShouldBe(HttpStatusCode.NoContent);

        var item = (await client.GetJson("/merchant/received"))["items"]!.AsArray().ShouldHaveSingleItem()!;
        item["webhookId"]!.GetValue<string>().ShouldBe("msg_1");
        item["mode"]!.GetValue<string>().ShouldBe("ok");
        item["body"]!.ToJsonString().ShouldBe(Body);
    }

    [Fact]
    public async Task Takes_what_is_signed_with_its_secret_among_others()
    {
        var (stamp, signature) = Sign(Now);

        (await Send(("msg_1", stamp, $"v1,AAAA v1a,{signature[3..]} nonsense {signature}"))).StatusCode.ShouldBe(HttpStatusCode.NoContent);
    }

    [Theory]
    [InlineData("another body")]
    [InlineData("another id")]
    [InlineData("another time")]
    [InlineData("another version")]
    [InlineData("no signature")]
    [InlineData("too old")]
    [InlineData("too early")]
    [InlineData("no number")]
    public async Task Refuses_what_is_not(string what)
    {
        var (id, stamp, signature) = Signed(what switch { "too old" => -301, "too early" => 310, _ => 0 });
        (id, stamp, signature) = what switch
        {
            "another id" => ("msg_2", stamp, signature),
            "another time" => (id, stamp[..^1] + (stamp[^1] == '0' ? '1' : '0'), signature),
            "another version" => (id, stamp, "v2" + signature[2..]),
            "no signature" => (id, stamp, ""),
            "no number" => (id, "now", signature),
            _ => (id, stamp, signature),
        };

        var response = await Send((id, stamp, signature), what == "another body" ? Body + " " : Body);

        await response.ShouldBeProblem(HttpStatusCode.Unauthorized, "signature-refused");
        await Received();
    }

    // The specification's own examples, at their own time.
    [Theory]
    [InlineData("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330,
        """{"test": 2432232314}""", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=")]
    [InlineData("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD", "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk", 1649367553,
        """{"email":"test@example.com","username":"test_user"}""", "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=")]
    public async Task Takes_what_others_have_signed(string secret, string id, long seconds, string body, string signature)
    {
        await using var then = new SimulatorApp { Now = DateTimeOffset.FromUnixTimeSeconds(seconds) };
        using var merchant = then.CreateClient();
        await merchant.PutAsJsonAsync("/merchant/secret", new { secret });

        var request = Webhook((id, seconds.ToString(CultureInfo.InvariantCulture), signature), body);

        (await merchant.SendAsync(request)).StatusCode.ShouldBe(HttpStatusCode.NoContent);
    }

    [Theory]
    [InlineData("fail", HttpStatusCode.InternalServerError)]
    [InlineData("gone", HttpStatusCode.Gone)]
    [InlineData("throttle", HttpStatusCode.TooManyRequests)]
    [InlineData("redirect", HttpStatusCode.TemporaryRedirect)]
    public async Task Answers_as_it_is_told_to_and_then_normally(string mode, HttpStatusCode status)
    {
        await app.SetMerchant(mode, times: 2);

        for (var i = 0; i < 2; i++)
        {
            var response = await Send(Signed());
            response.StatusCode.ShouldBe(status);
            (response.Headers.RetryAfter is not null).ShouldBe(mode == "throttle");
            response.Headers.Location?.ToString().ShouldBe("/merchant/webhooks/elsewhere");
        }

        (await Send(Signed())).StatusCode.ShouldBe(HttpStatusCode.NoContent);
        await Received(mode, mode, "ok");
    }

    [Fact]
    public async Task Does_not_answer()
    {
        await app.SetMerchant("hang", times: 1);
        using var patience = new CancellationTokenSource(TimeSpan.FromMilliseconds(300));

        await Should.ThrowAsync<OperationCanceledException>(Send(Signed(), cancellationToken: patience.Token));

        await Received("hang");
    }

    [Theory]
    [InlineData("drip", 3)]
    [InlineData("huge", 1_000_000)]
    public async Task Answers_without_end(string mode, int bytes)
    {
        await app.SetMerchant(mode, times: 1);

        using var response = await Send(Signed());
        response.StatusCode.ShouldBe(HttpStatusCode.OK);
        await using var body = await response.Content.ReadAsStreamAsync();
        var buffer = new byte[bytes];
        await body.ReadExactlyAsync(buffer);

        await Received(mode);
    }

    [Theory]
    [InlineData("""{}""")]
    [InlineData("""{"secret":"whsec_"}""")]
    [InlineData("""{"secret":"whsec_c2hvcnQ="}""")]
    [InlineData("""{"secret":"MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}""")]
    public async Task Refuses_what_is_no_secret(string body)
    {
        var response = await client.PutAsync("/merchant/secret", new StringContent(body, null, "application/json"));

        (await response.ShouldBeProblem(HttpStatusCode.BadRequest, "validation")).Fields().ShouldBe(["secret"]);
    }

    public async Task InitializeAsync()
    {
        var response = await Send(Signed());
        await response.ShouldBeProblem(HttpStatusCode.Unauthorized, "signature-refused");   // there is no secret yet
        (await client.PutAsJsonAsync("/merchant/secret", new { secret = Secret })).StatusCode.ShouldBe(HttpStatusCode.NoContent);
    }

    public async Task DisposeAsync()
    {
        client.Dispose();
        await app.DisposeAsync();
    }

    private static long Now => TimeProvider.System.GetUtcNow().ToUnixTimeSeconds();

    private static (string Id, string Stamp, string Signature) Signed(long shift = 0)
    {
        var (stamp, signature) = Sign(Now + shift);
        return ("msg_1", stamp, signature);
    }

    private static (string Stamp, string Signature) Sign(long seconds)
    {
        var stamp = seconds.ToString(CultureInfo.InvariantCulture);
        var hash = HMACSHA256.HashData(Key, Encoding.UTF8.GetBytes($"msg_1.{stamp}.{Body}"));
        return (stamp, $"v1,{Convert.ToBase64String(hash)}");
    }

    private static HttpRequestMessage Webhook((string Id, string Stamp, string Signature) headers, string body)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, "/merchant/webhooks")
        {
            Content = new StringContent(body, null, "application/json"),
        };
        request.Headers.Add("webhook-id", headers.Id);
        request.Headers.Add("webhook-timestamp", headers.Stamp);
        request.Headers.Add("webhook-signature", headers.Signature);
        return request;
    }

    private Task<HttpResponseMessage> Send(
        (string Id, string Stamp, string Signature) headers, string body = Body, CancellationToken cancellationToken = default) =>
        client.SendAsync(Webhook(headers, body), HttpCompletionOption.ResponseHeadersRead, cancellationToken);

    private async Task Received(params string[] modes) =>
        (await client.ReadAll("/merchant/received", 2, "mode")).ShouldBe(modes);
}
