using System.Globalization;
using System.Net;
using Microsoft.Extensions.DependencyInjection;
using Notifications.Delivering;
using Notifications.Sending;
using Outbox.Testing;

namespace Services.Tests;

/// <summary>A secret that was rotated goes on signing for its grace, and no longer.</summary>
public sealed class RotationTests : IAsyncLifetime
{
    private readonly TestDatabase database = TestDatabase.Sqlite();
    private Notifier? notifier;

    private Notifier Notifier => notifier ??= new Notifier(database, relays: false);

    [Theory]
    [InlineData(-1, true)]
    [InlineData(0, false)]
    [InlineData(1, false)]
    public async Task The_old_one_signs_until_its_grace_is_over(int secondsAfter, bool signsWithBoth)
    {
        await using var server = await HookServer.Start();
        using var client = Notifier.App.CreateClient().As(Keys.Receiver);
        var made = await client.PostJson("/v1/endpoints", $$"""{"url":"{{server.Url}}","eventTypes":["topup.succeeded"]}""", HttpStatusCode.Created);
        var endpoint = made["id"]!.GetValue<Guid>();
        var rotated = await client.PostJson($"/v1/endpoints/{endpoint}/rotate-secret", """{"graceSeconds":3600}""", HttpStatusCode.OK);
        var id = await Notifier.WaitingOne(endpoint);
        var until = (await Notifier.Endpoint(endpoint)).PreviousSecretUntil!.Value;
        var clock = new ManualTimeProvider(new DateTimeOffset(until, TimeSpan.Zero) + TimeSpan.FromSeconds(secondsAfter));

        await Notifier.InScope(async services =>
        {
            var calling = ActivatorUtilities.CreateInstance<Calling>(services, clock);
            var rows = ActivatorUtilities.CreateInstance<DeliveryRows>(services, clock);
            await ActivatorUtilities.CreateInstance<Attempting>(services, rows, calling, clock).Run(new WakeDelivery(id, 1), CancellationToken.None);
            return true;
        });

        byte[] Key(System.Text.Json.Nodes.JsonNode answer) => Convert.FromBase64String(answer["secret"]!.GetValue<string>()["whsec_".Length..]);
        var request = server.Requests.Values.ShouldHaveSingleItem();
        request.Headers["webhook-signature"].ShouldBe(WebhookSignature.Sign(
            request.WebhookId,
            long.Parse(request.Headers["webhook-timestamp"], CultureInfo.InvariantCulture),
            request.Body,
            signsWithBoth ? [Key(rotated), Key(made)] : [Key(rotated)]));
        (await client.GetJson($"/v1/endpoints/{endpoint}"))["previousSecretUntil"].ShouldNotBeNull();
    }

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync()
    {
        await (notifier?.DisposeAsync() ?? ValueTask.CompletedTask);
        await database.DisposeAsync();
    }
}
