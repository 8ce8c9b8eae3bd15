using System.Data.Common;
using System.Net;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.Extensions.DependencyInjection;
using Notifications;
using Outbox.Testing;

namespace Services.Tests;

/// <summary>A request that the database ended in favour of another is made again.</summary>
public sealed class ContentionTests : IAsyncLifetime
{
    private readonly TestDatabase database = TestDatabase.Sqlite();
    private readonly Deadlock deadlock = new();
    private ServiceApp<NotificationsDb>? app;

    private ServiceApp<NotificationsDb> App => app!;

    public Task InitializeAsync()
    {
        app = new ServiceApp<NotificationsDb>(database, services => services.AddSingleton<IDbContextOptionsConfiguration<NotificationsSqlite>>(deadlock));
        return Task.CompletedTask;
    }

    public async Task DisposeAsync()
    {
        await App.DisposeAsync();
        await database.DisposeAsync();
    }

    [Theory]
    [InlineData("ack", HttpStatusCode.OK)]
    [InlineData("resend", HttpStatusCode.Accepted)]
    public async Task Twice_at_most_nobody_notices(string what, HttpStatusCode expected)
    {
        using var client = App.CreateClient().As(Keys.Receiver);
        var id = await App.StoreNotification("key", "points.credited", [DeliveryState.Exhausted]);
        var path = new Uri($"/v1/notifications/{id}/{what}", UriKind.Relative);

        deadlock.Times = 3;
        (await client.PostAsync(path, null)).StatusCode.ShouldBe(HttpStatusCode.ServiceUnavailable);
        deadlock.Times = 2;
        (await client.PostAsync(path, null)).StatusCode.ShouldBe(expected);
        deadlock.Times.ShouldBe(0);
    }

    private sealed class Deadlock : DbCommandInterceptor, IDbContextOptionsConfiguration<NotificationsSqlite>
    {
        public int Times { get; set; }

        public void Configure(IServiceProvider serviceProvider, DbContextOptionsBuilder optionsBuilder) => optionsBuilder.AddInterceptors(this);

        public override ValueTask<InterceptionResult<int>> NonQueryExecutingAsync(
            DbCommand command, CommandEventData eventData, InterceptionResult<int> result, CancellationToken cancellationToken = default)
        {
            if (Times > 0 && command.CommandText.Contains("UPDATE \"Delivery\"", StringComparison.Ordinal))
            {
                Times--;
                throw new Victim();
            }

            return ValueTask.FromResult(result);
        }
    }

    private sealed class Victim : DbException
    {
        public override bool IsTransient => true;
    }
}
