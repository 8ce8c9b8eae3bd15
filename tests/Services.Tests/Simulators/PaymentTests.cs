using System.Net;
using System.Text.Json.Nodes;
using Outbox.Testing;

namespace Services.Tests;

public sealed class PaymentTests : IAsyncLifetime
{
    private readonly SimulatorApp app = new();
    private readonly HttpClient client;

    public PaymentTests() => client = app.CreateClient();

    [Fact]
    public async Task A_charge_is_taken_once_however_often_it_is_asked_for()
    {
        for (var i = 0; i < 3; i++)
        {
            var charged = await Json(await Charge("a", 500), HttpStatusCode.OK);
            charged.ToJsonString().ShouldBe("""{"id":"a","amount":500,"state":"charged"}""");
        }

        (await client.GetJson("/payments/charges/a"))["state"]!.GetValue<string>().ShouldBe("charged");
        await Total(500, 1);
    }

    [Fact]
    public async Task The_same_id_with_another_amount_is_refused()
    {
        await Charge("a", 500);

        await (await Charge("a", 501)).ShouldBeProblem(HttpStatusCode.UnprocessableEntity, "charge-id-reused");
        await Total(500, 1);
    }

    [Fact]
    public async Task Nothing_is_known_of_a_charge_that_was_never_asked_for() =>
        await (await client.GetAsync("/payments/charges/a")).ShouldBeProblem(HttpStatusCode.NotFound, "not-found");

    [Fact]
    public async Task Voiding_gives_the_money_back_once()
    {
        await Charge("a", 500);
        await Charge("b", 30);

        for (var i = 0; i < 2; i++)
        {
            (await Json(await Void("a"), HttpStatusCode.OK))["state"]!.GetValue<string>().ShouldBe("voided");
        }

        await Total(30, 1);
        await (await Charge("a", 500)).ShouldBeProblem(HttpStatusCode.Conflict, "charge-voided");
        await Total(30, 1);
    }

    [Fact]
    public async Task A_charge_that_was_voided_before_it_was_asked_for_is_never_taken()
    {
        (await Json(await Void("a"), HttpStatusCode.OK)).ToJsonString().ShouldBe("""{"id":"a","amount":0,"state":"voided"}""");

        await (await Charge("a", 500)).ShouldBeProblem(HttpStatusCode.Conflict, "charge-voided");
        await Total(0, 0);
    }

    [Fact]
    public async Task Who_voids_only_what_is_absent_leaves_a_charge_as_it_is()
    {
        await Charge("a", 500);

        await (await Void("a", onlyIfAbsent: true)).ShouldBeProblem(HttpStatusCode.PreconditionFailed, "charge-exists");
        (await Void("b", onlyIfAbsent: true)).StatusCode.ShouldBe(HttpStatusCode.OK);
        (await Void("b", onlyIfAbsent: true)).StatusCode.ShouldBe(HttpStatusCode.OK);

        await Total(500, 1);
        await (await Charge("b", 1)).ShouldBeProblem(HttpStatusCode.Conflict, "charge-voided");
    }

    [Fact]
    public async Task A_declined_charge_stays_declined()
    {
        await app.SetPayments("decline", times: 1);

        for (var i = 0; i < 2; i++)
        {
            await (await Charge("a", 500)).ShouldBeProblem(HttpStatusCode.PaymentRequired, "charge-declined");
        }

        (await client.GetJson("/payments/charges/a"))["state"]!.GetValue<string>().ShouldBe("declined");
        (await Json(await Void("a"), HttpStatusCode.OK))["state"]!.GetValue<string>().ShouldBe("declined");
        (await Charge("b", 1)).StatusCode.ShouldBe(HttpStatusCode.OK);
        await Total(1, 1);
    }

    [Theory]
    [InlineData("error", 0)]
    [InlineData("charge-then-error", 500)]
    public async Task An_error_says_nothing_of_whether_the_money_was_taken(string mode, long taken)
    {
        await app.SetPayments(mode, times: 2);
        await (await Charge("a", 500)).ShouldBeProblem(HttpStatusCode.InternalServerError, "internal-error");
        await (await Charge("a", 500)).ShouldBeProblem(HttpStatusCode.InternalServerError, "internal-error");

        await Total(taken, taken > 0 ? 1 : 0);
        (await Charge("a", 500)).StatusCode.ShouldBe(HttpStatusCode.OK);
        await Total(500, 1);
    }

    [Theory]
    [InlineData("hang", 0)]
    [InlineData("charge-then-hang", 500)]
    public async Task Who_is_not_answered_finds_out_by_asking(string mode, long taken)
    {
        await app.SetPayments(mode, times: 1);
        using var patience = new CancellationTokenSource();

        var charge = client.PostAsync("/payments/charges", Body("a", 500), patience.Token);
        await Eventually.Holds(async () =>
        {
            await Total(taken, taken > 0 ? 1 : 0);
            (await client.GetJson("/payments/behaviour"))["mode"]!.GetValue<string>().ShouldBe("approve");   // its one time was taken
        });
        charge.IsCompleted.ShouldBeFalse();
        await patience.CancelAsync();
        await Should.ThrowAsync<OperationCanceledException>(charge);

        await Total(taken, taken > 0 ? 1 : 0);
        (await client.GetAsync("/payments/charges/a")).StatusCode.ShouldBe(taken > 0 ? HttpStatusCode.OK : HttpStatusCode.NotFound);
    }

    [Fact]
    public async Task An_unreachable_provider_answers_nothing_at_all()
    {
        await app.SetPayments("unreachable", times: 3);

        await Should.ThrowAsync<Exception>(Charge("a", 500));
        await Should.ThrowAsync<Exception>(client.GetAsync("/payments/charges/a"));
        await Should.ThrowAsync<Exception>(Void("a"));

        await (await client.GetAsync("/payments/charges/a")).ShouldBeProblem(HttpStatusCode.NotFound, "not-found");
        await Total(0, 0);
    }

    [Fact]
    public async Task A_mode_without_a_number_stays_until_another_is_set()
    {
        await app.SetPayments("decline");
        for (var i = 0; i < 3; i++)
        {
            (await Charge($"a{i}", 1)).StatusCode.ShouldBe(HttpStatusCode.PaymentRequired);
        }

        await app.SetPayments("approve");
        (await Charge("b", 1)).StatusCode.ShouldBe(HttpStatusCode.OK);
    }

    [Theory]
    [InlineData("""{}""", "id,amount")]
    [InlineData("""{"id":"","amount":5}""", "id")]
    [InlineData("""{"id":"a/b","amount":5}""", "id")]
    [InlineData("""{"id":"a","amount":0}""", "amount")]
    [InlineData("""{"id":"a","amount":1.5}""", "amount")]
    [InlineData("""{"id":"a","amount":"5"}""", "amount")]
    public async Task Says_what_is_wrong_with_a_charge(string body, string fields)
    {
        var problem = await (await client.PostText("/payments/charges", body)).ShouldBeProblem(HttpStatusCode.BadRequest, "validation");

        problem.Fields().ShouldBe(fields.Split(','));
    }

    [Theory]
    [InlineData("""{}""", "mode")]
    [InlineData("""{"mode":"sometimes"}""", "mode")]
    [InlineData("""{"mode":0}""", "mode")]
    [InlineData("""{"mode":"hang","times":0}""", "times")]
    public async Task Says_what_is_wrong_with_a_behaviour(string body, string field)
    {
        foreach (var path in (string[])["/payments/behaviour", "/merchant/behaviour"])
        {
            var response = await client.PutAsync(path, new StringContent(body, null, "application/json"));

            (await response.ShouldBeProblem(HttpStatusCode.BadRequest, "validation")).Fields().ShouldBe([field]);
        }
    }

    [Fact]
    public async Task Everything_is_remembered_over_a_restart_and_half_a_line_is_not()
    {
        await Charge("a", 500);
        await Charge("b", 30);
        await Void("b");
        client.Dispose();
        var folder = Directory.CreateTempSubdirectory("outbox-simulators").FullName;
        try
        {
            // Killed in the middle of the next line.
            var book = await ChildProcess.RunAsync("cat", [Path.Combine(app.Folder, "payments.journal")]);   // locked, for .NET
            await File.WriteAllTextAsync(Path.Combine(folder, "payments.journal"), book + """{"id":"c","amo""");

            for (var start = 0; start < 2; start++)
            {
                await using var again = new SimulatorApp(folder);
                using var other = again.CreateClient();
                (await other.GetJson("/payments/total")).ToJsonString().ShouldBe($$"""{"total":{{500 + start}},"charges":{{1 + start}}}""");
                (await other.GetJson("/payments/charges/b"))["state"]!.GetValue<string>().ShouldBe("voided");
                (await other.PostAsync("/payments/charges", Body("c", 1))).StatusCode.ShouldBe(HttpStatusCode.OK);
            }
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync()
    {
        client.Dispose();
        await app.DisposeAsync();
    }

    private static StringContent Body(string id, long amount) =>
        new(new JsonObject { ["id"] = id, ["amount"] = amount }.ToJsonString(), null, "application/json");

    private static async Task<JsonNode> Json(HttpResponseMessage response, HttpStatusCode status)
    {
        var text = await response.Content.ReadAsStringAsync();
        response.StatusCode.ShouldBe(status, text);
        return JsonNode.Parse(text)!;
    }

    private Task<HttpResponseMessage> Charge(string id, long amount) => client.PostAsync("/payments/charges", Body(id, amount));

    private Task<HttpResponseMessage> Void(string id, bool onlyIfAbsent = false)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, $"/payments/charges/{id}/void");
        if (onlyIfAbsent)
        {
            request.Headers.Add("If-None-Match", "*");
        }

        return client.SendAsync(request);
    }

    private async Task Total(long total, int charges) =>
        (await client.GetJson("/payments/total")).ToJsonString().ShouldBe($$"""{"total":{{total}},"charges":{{charges}}}""");
}
