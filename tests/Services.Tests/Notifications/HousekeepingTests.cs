using MassTransit;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Notifications;
using Outbox.Testing;

namespace Services.Tests;

/// <summary>What was kept long enough is forgotten, and nothing that is still needed.</summary>
public abstract class HousekeepingTests(Func<Task<TestDatabase>> create) : IAsyncLifetime
{
    private static readonly DateTime Old = DateTime.UnixEpoch;
    private static readonly DateTime New = TimeProvider.System.GetUtcNow().UtcDateTime;

    private TestDatabase? database;
    private ServiceApp<NotificationsDb>? app;

    private ServiceApp<NotificationsDb> App => app!;

    [SkippableTheory]
    [InlineData(DeliveryState.Pending, true)]
    [InlineData(DeliveryState.Held, true)]
    [InlineData(DeliveryState.Delivering, true)]
    [InlineData(DeliveryState.Exhausted, false)]
    [InlineData(DeliveryState.Delivered, false)]
    [InlineData(DeliveryState.Acknowledged, false)]
    public async Task A_payload_is_kept_as_long_as_it_is_to_be_delivered(DeliveryState state, bool isKept)
    {
        var id = await App.StoreNotification("key", "points.credited", [DeliveryState.Delivered, state]);

        await KeepHouse();

        var notification = await App.InDb(db => db.Notifications.Include(n => n.Event).SingleAsync());
        (notification.Id, notification.Event.Body is not null).ShouldBe((id, isKept));
        using var client = App.CreateClient().As(Keys.Receiver);
        var shown = await client.GetJson("/v1/notifications/by-key/points.credited/key");
        (shown["data"] is not null).ShouldBe(isKept);
    }

    [SkippableFact]
    public async Task A_payload_of_today_is_kept()
    {
        await App.StoreNotification("key", "points.credited", []);
        await App.InDb(db => db.Events.ExecuteUpdateAsync(set => set.SetProperty(e => e.CreatedAt, New)));

        await KeepHouse();

        (await App.InDb(db => db.Events.SingleAsync())).Body.ShouldNotBeNull();
    }

    [SkippableFact]
    public async Task Old_attempts_go_and_new_ones_stay_however_many_there_are()
    {
        await App.StoreNotification("key", "points.credited", [DeliveryState.Delivered]);
        await App.InDb(async db =>
        {
            var delivery = await db.Deliveries.SingleAsync();
            db.Attempts.AddRange(Enumerable.Range(1, Many).Select(number =>
                new DeliveryAttempt { DeliveryId = delivery.Id, Number = number, StartedAt = number <= Many - 3 ? Old : New }));
            return await db.SaveChangesAsync();
        });

        await KeepHouse();

        (await App.InDb(db => db.Attempts.CountAsync())).ShouldBe(3);
    }

    [SkippableFact]
    public async Task What_belonged_to_an_endpoint_deleted_long_ago_goes_with_it()
    {
        await App.StoreNotification("key", "points.credited", [DeliveryState.Held, DeliveryState.Delivered]);
        await App.InDb(async db =>
        {
            var endpoint = await db.Endpoints.FirstAsync();
            endpoint.State = EndpointState.Deleted;
            db.Jobs.Add(new Job { Id = NewId.NextGuid(), EndpointId = endpoint.Id, State = JobState.Done });
            return await db.SaveChangesAsync();
        });

        await KeepHouse();

        (await App.InDb(db => db.Endpoints.CountAsync())).ShouldBe(1);
        (await App.InDb(db => db.Deliveries.CountAsync())).ShouldBe(1);
        (await App.InDb(db => db.Jobs.CountAsync())).ShouldBe(0);
        (await App.InDb(db => db.Notifications.CountAsync())).ShouldBe(1);
    }

    public async Task InitializeAsync()
    {
        database = await create();
        app = new ServiceApp<NotificationsDb>(database);
        using var started = app.CreateClient();
    }

    public async Task DisposeAsync()
    {
        await (app?.DisposeAsync() ?? ValueTask.CompletedTask);
        await (database?.DisposeAsync() ?? ValueTask.CompletedTask);
    }

    private const int Many = 1203;   // more than two batches

    private async Task KeepHouse()
    {
        await using var scope = App.Services.CreateAsyncScope();
        await scope.ServiceProvider.GetRequiredService<Housekeeping>().Run(CancellationToken.None);
    }
}

public sealed class HousekeepingOnSqliteTests() : HousekeepingTests(() => Task.FromResult(TestDatabase.Sqlite()));

public sealed class HousekeepingOnPostgresTests() : HousekeepingTests(TestDatabase.PostgresAsync);

public sealed class HousekeepingOnSqlServerTests() : HousekeepingTests(TestDatabase.SqlServerAsync);
