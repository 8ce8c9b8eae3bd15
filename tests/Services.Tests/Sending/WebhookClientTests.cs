using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Notifications;
using Notifications.Sending;
using Outbox.Testing;

namespace Services.Tests;

/// <summary>The exchange with a server that a stranger has chosen, over real sockets.</summary>
public sealed class WebhookClientTests
{
    private static readonly byte[] Body = """{"type":"test"}"""u8.ToArray();
    private static readonly byte[] Key = [1, 2, 3];
    private static readonly ILogger<WebhookClient> NoLog = NullLogger<WebhookClient>.Instance;

    [Fact]
    public async Task The_bytes_are_sent_with_the_headers_of_the_specification()
    {
        await using var receiver = await HookServer.Start();
        using var client = Client();

        var answer = await client.Send(
            new WebhookRequest(receiver.Url, "msg_1", Body, [Key], new Dictionary<string, string>(StringComparer.Ordinal) { ["X-Tenant"] = "north", ["Host"] = "internal" }, "00-trace"),
            CancellationToken.None);

        (answer.Failure, answer.StatusCode).ShouldBe((null, 204));
        var request = receiver.Requests.Values.ShouldHaveSingleItem();
        request.Body.ShouldBe(Body);
        request.WebhookId.ShouldBe("msg_1");
        request.Headers["webhook-signature"].ShouldBe(WebhookSignature.Sign("msg_1", long.Parse(request.Headers["webhook-timestamp"], CultureInfo.InvariantCulture), Body, [Key]));
        request.Headers["content-type"].ShouldBe("application/json");
        request.Headers["traceparent"].ShouldBe("00-trace");
        request.Headers["X-Tenant"].ShouldBe("north");
        request.Headers["Host"].ShouldStartWith("127.0.0.1");
        request.Headers.ContainsKey("Accept-Encoding").ShouldBeFalse();
        request.Headers.ContainsKey("Cookie").ShouldBeFalse();
    }

    /// <summary>Also those that describe a body, or that usually an answer has.</summary>
    [Theory]
    [InlineData("Accept", "text/plain")]
    [InlineData("Allow", "GET")]
    [InlineData("Authorization", "Bearer abc")]
    [InlineData("Cache-Control", "no-store")]
    [InlineData("Content-Disposition", "inline")]
    [InlineData("Content-Language", "de")]
    [InlineData("Content-Location", "/events")]
    [InlineData("Content-MD5", "none")]
    [InlineData("Content-Range", "any")]
    [InlineData("ETag", "\"1\"")]
    [InlineData("Expires", "never")]
    [InlineData("From", "shop")]
    [InlineData("If-Match", "*")]
    [InlineData("Last-Modified", "today")]
    [InlineData("Location", "/here")]
    [InlineData("Max-Forwards", "many")]
    [InlineData("Pragma", "no-cache")]
    [InlineData("Range", "all")]
    [InlineData("Referer", "shop")]
    [InlineData("Set-Cookie", "a=b")]
    [InlineData("Warning", "none")]
    [InlineData("X-Tenant", "north")]
    public async Task Every_header_that_is_accepted_is_sent(string name, string value)
    {
        WebhookHeaders.Refuse(name, value).ShouldBeNull();
        await using var receiver = await HookServer.Start();
        using var client = Client();

        await client.Send(
            new WebhookRequest(receiver.Url, "msg_1", Body, [Key], new Dictionary<string, string>(StringComparer.Ordinal) { [name] = value }),
            CancellationToken.None);

        receiver.Requests.Values.ShouldHaveSingleItem().Headers[name].ShouldBe(value);
    }

    [Fact]
    public async Task Nothing_is_sent_to_an_address_that_must_not_be_called()
    {
        await using var receiver = await HookServer.Start();
        using var client = new WebhookClient(new AllowedDestinations(ports: "1-65535"), TimeSpan.FromSeconds(10), TimeProvider.System, NoLog);

        (await client.Send(Request(receiver.Url), CancellationToken.None)).Failure.ShouldBe(AttemptOutcome.Forbidden);
        (await client.Send(Request(new Uri($"http://localhost:{receiver.Port}/")), CancellationToken.None)).Failure.ShouldBe(AttemptOutcome.Forbidden);

        receiver.Requests.Count.ShouldBe(0);
    }

    /// <summary>The name is harmless when the endpoint is made, and leads into the network when it is called.</summary>
    [Fact]
    public async Task A_name_that_changes_its_answer_gains_nothing()
    {
        using var logs = new RecordedLogs();
        using var factory = new LoggerFactory([logs]);
        await using var receiver = await HookServer.Start();
        var answers = new Queue<IPAddress[]>([[IPAddress.Parse("1.1.1.1")], [IPAddress.Loopback], [IPAddress.Loopback]]);
        using var client = new WebhookClient(
            new AllowedDestinations(ports: "1-65535"), TimeSpan.FromSeconds(10), TimeProvider.System, factory.CreateLogger<WebhookClient>(), (_, _) => Task.FromResult(answers.Dequeue()));
        answers.Dequeue();

        var answer = await client.Send(Request(new Uri($"http://rebound.example:{receiver.Port}/")), CancellationToken.None);

        answer.Failure.ShouldBe(AttemptOutcome.Forbidden);
        answer.Error.ShouldNotBeNull().ShouldNotContain("127.0.0.1");   // of what lies in the network only the operator is told
        logs.Lines.ShouldHaveSingleItem().ShouldContain("rebound.example: it is at 127.0.0.1");
        answers.Count.ShouldBe(1, "one look-up a connection");
        receiver.Requests.Count.ShouldBe(0);
    }

    [Fact]
    public async Task Of_several_addresses_only_a_vetted_one_is_dialled()
    {
        await using var receiver = await HookServer.Start();
        using var client = new WebhookClient(
            new AllowedDestinations("127.0.0.2/32", "1-65535"), TimeSpan.FromSeconds(10), TimeProvider.System, NoLog,
            (_, _) => Task.FromResult<IPAddress[]>([IPAddress.Loopback, IPAddress.Parse("127.0.0.2")]));

        var answer = await client.Send(Request(new Uri($"http://two.example:{receiver.Port}/")), CancellationToken.None);

        answer.Failure.ShouldBe(AttemptOutcome.Unreachable);   // nobody listens there
        answer.Error.ShouldNotBeNullOrEmpty();
        answer.Error.ShouldNotContain("127.0.0");
        receiver.Requests.Count.ShouldBe(0);
    }

    /// <summary>One of a receiver's addresses takes no connections and refuses none: the others have their turn well before the deadline.</summary>
    [SkippableFact]
    public async Task An_address_that_is_silent_keeps_none_from_the_others()
    {
        Skip.IfNot(OperatingSystem.IsLinux(), "Elsewhere a server whose queue is full is not silent, and 127.0.0.2 not this machine.");
        await using var receiver = await HookServer.Start();
        var silent = IPAddress.Parse("127.0.0.2");
        using var full = new TcpListener(silent, receiver.Port);
        full.Start(backlog: 0);
        using var waiting = new TcpClient();
        await waiting.ConnectAsync(silent, receiver.Port);   // fills it
        using var client = Client(TimeSpan.FromSeconds(10), silent, silent, IPAddress.Loopback);
        using var impatient = Client(TimeSpan.FromMilliseconds(700), silent, silent);
        var request = Request(new Uri($"http://several.example:{receiver.Port}/"));

        (await client.Send(request, CancellationToken.None)).StatusCode.ShouldBe(204);
        (await impatient.Send(request, CancellationToken.None)).Failure.ShouldBe(AttemptOutcome.TimedOut, "it is silent");
    }

    /// <summary>Of the addresses that fail, the one that answers is taken, wherever it stands.</summary>
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    public async Task An_address_that_refuses_is_passed_over(int place)
    {
        await using var receiver = await HookServer.Start();
        IPAddress[] addresses = [IPAddress.Parse("127.0.0.2"), IPAddress.Parse("127.0.0.3"), IPAddress.Parse("127.0.0.4")];
        addresses[place] = IPAddress.Loopback;
        using var client = Client(null, addresses);

        (await client.Send(Request(new Uri($"http://three.example:{receiver.Port}/")), CancellationToken.None)).StatusCode.ShouldBe(204);
    }

    [Fact]
    public async Task A_name_with_many_addresses_does_not_have_them_all_called()
    {
        await using var receiver = await HookServer.Start();
        IPAddress[] addresses = [.. Enumerable.Range(2, 8).Select(i => IPAddress.Parse($"127.0.0.{i}")), IPAddress.Loopback];
        using var client = Client(null, addresses);

        (await client.Send(Request(new Uri($"http://many.example:{receiver.Port}/")), CancellationToken.None)).Failure.ShouldBe(AttemptOutcome.Unreachable);

        receiver.Requests.Count.ShouldBe(0);
    }

    [Fact]
    public async Task Redirects_are_not_followed()
    {
        await using var receiver = await HookServer.Start((_, http) =>
        {
            http.Response.Redirect("/elsewhere");
            return Task.CompletedTask;
        });
        using var client = Client();

        (await client.Send(Request(receiver.Url), CancellationToken.None)).StatusCode.ShouldBe(302);

        receiver.Requests.Count.ShouldBe(1);
    }

    [Fact]
    public async Task The_environments_proxy_is_not_used()
    {
        await using var proxy = await HookServer.Start();
        await using var receiver = await HookServer.Start();
        var before = HttpClient.DefaultProxy;
        HttpClient.DefaultProxy = new WebProxy($"http://127.0.0.1:{proxy.Port}");
        try
        {
            using var client = Client();
            await client.Send(Request(receiver.Url), CancellationToken.None);
        }
        finally
        {
            HttpClient.DefaultProxy = before;
        }

        (proxy.Requests.Count, receiver.Requests.Count).ShouldBe((0, 1));
    }

    /// <summary>A connection by HTTP 3 is made over UDP, and would pass the guard by.</summary>
    [Fact]
    public async Task The_newest_version_is_2()
    {
        using var server = new TcpListener(IPAddress.Loopback, 0);
        server.Start();
        var url = new Uri($"https://127.0.0.1:{((IPEndPoint)server.LocalEndpoint).Port}/");
        using var client = Client();
        using var request = client.Write(Request(url));
        (request.Version, request.VersionPolicy).ShouldBe((HttpVersion.Version20, HttpVersionPolicy.RequestVersionOrLower));

        var sending = client.Send(Request(url), CancellationToken.None);
        using (var socket = await server.AcceptSocketAsync())
        {
            var hello = new byte[4096];
            await socket.ReceiveAsync(hello);
            hello.AsSpan().IndexOf("\0\x0c\x02h2\x08http/1.1"u8).ShouldBePositive("what the handshake offers");
        }

        (await sending).Failure.ShouldBe(AttemptOutcome.Unreachable);
    }

    [Theory]
    [InlineData("hang")]
    [InlineData("drip")]
    public async Task One_deadline_ends_an_answer_that_does_not_come_or_does_not_end(string mode)
    {
        await using var receiver = await HookServer.Start(async (_, http) =>
        {
            http.Response.StatusCode = 200;
            while (!http.RequestAborted.IsCancellationRequested)
            {
                if (mode == "drip")
                {
                    await http.Response.WriteAsync("x", http.RequestAborted);
                    await http.Response.Body.FlushAsync(http.RequestAborted);
                }

                await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System, http.RequestAborted);
            }
        });
        using var client = Client(TimeSpan.FromMilliseconds(400));

        var answer = await client.Send(Request(receiver.Url), CancellationToken.None);

        answer.Failure.ShouldBe(AttemptOutcome.TimedOut);
        answer.StatusCode.ShouldBe(mode == "drip" ? 200 : null);
    }

    [Theory]
    [InlineData("name")]
    [InlineData("handshake")]
    public async Task The_deadline_ends_what_comes_before_the_request_too(string what)
    {
        using var mute = new TcpListener(IPAddress.Loopback, 0);   // takes connections, and says nothing
        mute.Start();
        using var client = new WebhookClient(
            new AllowedDestinations("127.0.0.0/8", "1-65535"), TimeSpan.FromMilliseconds(400), TimeProvider.System, NoLog,
            async (_, token) =>
            {
                await Task.Delay(what == "name" ? Timeout.InfiniteTimeSpan : TimeSpan.Zero, TimeProvider.System, token);
                return [IPAddress.Loopback];
            });

        var answer = await client.Send(
            Request(new Uri($"https://slow.example:{((IPEndPoint)mute.LocalEndpoint).Port}/")), CancellationToken.None);

        (answer.Failure, answer.StatusCode).ShouldBe((AttemptOutcome.TimedOut, null));
    }

    [Fact]
    public async Task An_answer_with_too_many_headers_is_no_answer()
    {
        await using var receiver = await HookServer.Start((_, http) =>
        {
            http.Response.Headers["X-Large"] = new string('x', 32 * 1024);
            return Task.CompletedTask;
        });
        using var client = Client();

        (await client.Send(Request(receiver.Url), CancellationToken.None)).Failure.ShouldBe(AttemptOutcome.Unreachable);
    }

    [Fact]
    public async Task Of_an_answer_without_end_the_beginning_is_read()
    {
        await using var receiver = await HookServer.Start(async (_, http) =>
        {
            http.Response.StatusCode = 200;
            var block = new byte[4096];
            while (!http.RequestAborted.IsCancellationRequested)
            {
                await http.Response.Body.WriteAsync(block, http.RequestAborted);
            }
        });
        using var client = Client();

        var answer = await client.Send(Request(receiver.Url), CancellationToken.None);

        (answer.Failure, answer.StatusCode, answer.Body!.Length).ShouldBe((null, 200, WebhookClient.MaxAnswer));
    }

    /// <summary>What is left is not fetched and thrown away: the connection is closed, and what its sender could write lies in buffers.</summary>
    [Fact]
    public async Task An_answer_without_end_costs_its_sender_the_connection()
    {
        using var huge = new TcpListener(IPAddress.Loopback, 0);
        huge.Start();
        var written = HugeAnswer(huge);
        using var client = Client();

        var answer = await client.Send(Request(new Uri($"http://127.0.0.1:{((IPEndPoint)huge.LocalEndpoint).Port}/")), CancellationToken.None);

        (answer.StatusCode, answer.Body!.Length).ShouldBe((200, WebhookClient.MaxAnswer));
        (await written.WaitAsync(Eventually.Limit, TimeProvider.System)).ShouldBeInRange(WebhookClient.MaxAnswer, 512 * 1024);
    }

    [Fact]
    public async Task Compressed_answers_are_not_unpacked()
    {
        await using var receiver = await HookServer.Start(async (_, http) =>
        {
            http.Response.StatusCode = 200;
            http.Response.Headers.ContentEncoding = "gzip";
            await http.Response.Body.WriteAsync(new byte[] { 0x1f, 0x8b, 1, 2, 3 });
        });
        using var client = Client();

        (await client.Send(Request(receiver.Url), CancellationToken.None)).Body.ShouldBe([0x1f, 0x8b, 1, 2, 3]);
    }

    [Fact]
    public async Task A_server_that_is_not_there_is_an_answer_too()
    {
        var receiver = await HookServer.Start();
        var url = receiver.Url;
        await receiver.DisposeAsync();
        using var client = Client();

        var answer = await client.Send(Request(url), CancellationToken.None);

        (answer.Failure, answer.StatusCode).ShouldBe((AttemptOutcome.Unreachable, null));
        answer.Error.ShouldNotBeNullOrEmpty();
    }

    [Fact]
    public async Task Who_gives_up_gets_no_answer()
    {
        var asked = new Signal();
        await using var receiver = await HookServer.Start(async (_, http) =>
        {
            asked.Set();
            await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, http.RequestAborted);
        });
        using var client = Client();
        using var stop = new CancellationTokenSource();

        var sending = client.Send(Request(receiver.Url), stop.Token);
        await asked.WaitAsync();
        await stop.CancelAsync();

        await Should.ThrowAsync<OperationCanceledException>(() => sending);
    }

    [Theory]
    [InlineData("7", 7)]
    [InlineData("Thu, 01 Jan 2026 00:01:00 GMT", 60)]
    [InlineData("Wed, 31 Dec 2025 23:59:00 GMT", null)]
    [InlineData("0", null)]
    [InlineData("soon", null)]
    public void Retry_after_is_seconds_or_a_date(string value, int? seconds)
    {
        using var response = new HttpResponseMessage();
        response.Headers.TryAddWithoutValidation("Retry-After", value);

        RetryAfter.Read(response.Headers.RetryAfter, new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero))
            .ShouldBe(seconds is { } s ? TimeSpan.FromSeconds(s) : null);
    }

    /// <summary>Answers one request without end.</summary>
    /// <returns>How many bytes of the body could be written until the other side closed the connection.</returns>
    private static async Task<long> HugeAnswer(TcpListener server)
    {
        using var socket = await server.AcceptSocketAsync();
        socket.SendBufferSize = WebhookClient.MaxAnswer;
        var block = new byte[4096];
        await socket.ReceiveAsync(block);
        await socket.SendAsync("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"u8.ToArray());   // little enough to be fetched by default
        for (var written = 0L; ;)
        {
            try
            {
                written += await socket.SendAsync(block);
            }
            catch (SocketException)
            {
                return written;
            }
        }
    }

    private static WebhookClient Client(TimeSpan? timeout = null) =>
        new(new AllowedDestinations("127.0.0.0/8", "1-65535"), timeout ?? TimeSpan.FromSeconds(30), TimeProvider.System, NoLog);

    /// <summary>For which every name has these addresses.</summary>
    private static WebhookClient Client(TimeSpan? timeout, params IPAddress[] addresses) =>
        new(new AllowedDestinations("127.0.0.0/8", "1-65535"), timeout ?? TimeSpan.FromSeconds(30), TimeProvider.System, NoLog, (_, _) => Task.FromResult(addresses));

    private static WebhookRequest Request(Uri url) => new(url, "msg_1", Body, [Key]);
}
