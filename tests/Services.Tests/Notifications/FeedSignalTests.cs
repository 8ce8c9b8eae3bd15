using MassTransit;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Notifications;
using Outbox.Testing;

namespace Services.Tests;

/// <summary>When the feed is numbered: right after something came that is to be numbered.</summary>
public sealed class FeedSignalTests : IAsyncLifetime
{
    private readonly TestDatabase database = TestDatabase.Sqlite();
    private readonly ServiceApp<NotificationsDb> app;

    public FeedSignalTests() => app = new ServiceApp<NotificationsDb>(
        database, services => services.Remove(services.Single(s => s.ImplementationType?.Name == "FeedSequencerService")));

    private FeedSignal Signal => app.Services.GetRequiredService<FeedSignal>();

    [Fact]
    public async Task What_makes_a_notification_wakes_whoever_numbers()
    {
        await app.StoreNotification("key", "points.credited", []);

        (await Signal.WaitForWork(Eventually.Limit, TimeProvider.System, CancellationToken.None)).ShouldBeTrue();
    }

    [Fact]
    public async Task What_makes_none_wakes_nobody()
    {
        await app.InDb(async db =>
        {
            db.Receivers.Add(New("one"));
            db.Receivers.Add(New("two"));
            await using var transaction = await db.Database.BeginTransactionAsync();
            await db.SaveChangesAsync();
            await transaction.CommitAsync();
            return true;
        });

        (await Signal.WaitForWork(TimeSpan.FromMilliseconds(1), TimeProvider.System, CancellationToken.None)).ShouldBeFalse();
    }

    [Fact]
    public async Task What_is_rolled_back_wakes_nobody()
    {
        await app.InDb(async db =>
        {
            var receiver = await db.Receivers.Select(r => r.Id).SingleAsync();
            await using (await db.Database.BeginTransactionAsync())
            {
                db.Notifications.Add(new Notifications.Notification
                {
                    Id = NewId.NextGuid(), ReceiverId = receiver, Event = new BusinessEvent { Id = NewId.NextGuid(), Type = "points.credited", BusinessKey = "key" },
                });
                await db.SaveChangesAsync();
            }

            return true;
        });

        (await Signal.WaitForWork(TimeSpan.FromMilliseconds(1), TimeProvider.System, CancellationToken.None)).ShouldBeFalse();
    }

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync()
    {
        await app.DisposeAsync();
        await database.DisposeAsync();
    }

    private static Receiver New(string name) => new() { Id = NewId.NextGuid(), Name = name, ApiKeyHash = ApiKey.Hash(name) };
}
