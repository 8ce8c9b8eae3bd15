using MassTransit;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace Outbox.UnitTests;

public sealed class TypedBusTests
{
    [Fact]
    public void An_outbox_on_another_bus_than_the_default_one_is_refused()
    {
        var error = Should.Throw<ConfigurationException>(() => new ServiceCollection().AddMassTransit<ISecondBus>(bus =>
        {
            bus.AddEntityFrameworkOutbox<SomeDb>();
            bus.UsingInMemory();
        }));

        error.Message.ShouldContain(nameof(ISecondBus));
    }

    public interface ISecondBus : IBus;

    private sealed class SomeDb(DbContextOptions<SomeDb> options) : DbContext(options);
}
