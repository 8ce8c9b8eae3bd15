using MassTransit;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace Outbox.UnitTests;

public sealed class TypedBusTests
{
    [Fact]
    public void An_outbox_on_another_bus_than_the_default_one_is_refused()
    {
        // MassTransit builds a bus of another type by reflection, which wraps what is thrown.
        var error = Should.Throw<Exception>(() => new ServiceCollection().AddMassTransit<ISecondBus>(bus =>
        {
            bus.AddEntityFrameworkOutbox<SomeDb>();
            bus.UsingInMemory();
        }));

        error.GetBaseException().ShouldBeOfType<ConfigurationException>().Message.ShouldContain(nameof(ISecondBus));
    }

    public interface ISecondBus : IBus;

    private sealed class SomeDb(DbContextOptions<SomeDb> options) : DbContext(options);
}
