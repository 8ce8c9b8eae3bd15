using MassTransit;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Outbox.Testing;

namespace Outbox.ConformanceTests.Capturing;

public class StartUpTests
{
    /// <summary>What looks for the wrong number of partitions must not keep a service from starting before its database.</summary>
    [Fact]
    public async Task A_service_that_does_not_relay_starts_while_its_database_is_away()
    {
        await using var nowhere = TestDatabase.Sqlite();

        await using var host = await ShopHost.StartAsync(nowhere, o =>
        {
            o.DbContext = (services, _) => services.AddDbContext<ShopDb>(options => options.UseNpgsql("Host=127.0.0.1;Port=1;Username=nobody;Password=none"));
            o.CreateTables = false;
            o.WithoutRelay();
        });

        host.Services.GetRequiredService<OutboxRegistration<ShopDb>>().KeepsInserts.Task.IsCompleted.ShouldBeFalse();
    }
}
