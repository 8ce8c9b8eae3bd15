using MassTransit;
using Outbox.Relaying;

namespace Outbox.UnitTests.Relaying;

/// <summary>What becomes of a message whose endpoint is not found, and which endpoints are remembered.</summary>
public sealed class SenderTests
{
    public static TheoryData<Exception> NoWay => new() { new ConnectionException("There is no way."), new OperationCanceledException("The way was left.") };

    [Theory]
    [MemberData(nameof(NoWay), DisableDiscoveryEnumeration = true)]
    public void A_way_to_the_broker_that_is_not_there_is_no_fault_of_the_message(Exception noWay)
    {
        var window = new MessageWindow(1, 1);
        Send(window, noWay);

        window.TakeSettled().ShouldBeEmpty();
        window.Waiting.ShouldBe(1);
    }

    [Fact]
    public void An_address_that_leads_nowhere_is_the_message_own_fault()
    {
        var window = new MessageWindow(1, 1);
        Send(window, new UriFormatException("No address."));

        window.TakeSettled().ShouldHaveSingleItem().Outcome.Kind.ShouldBe(OutcomeKind.Refused);
    }

    [Fact]
    public async Task An_endpoint_that_is_found_after_all_were_forgotten_is_not_remembered()
    {
        var known = new KnownEndpoints(TimeProvider.System);
        var finding = new TaskCompletionSource<ISendEndpoint>();
        var found = known.Remember("orders", () => finding.Task);

        known.Forget();
        finding.SetResult(await Bus().GetSendEndpoint(new Uri("queue:orders")));
        await found;

        known.TryGet("orders", out _).ShouldBeFalse();
    }

    private static void Send(MessageWindow window, Exception exception)
    {
        var (bus, route, options) = (Bus(), new NoRoute(exception), new OutboxOptions());
        using var _ = route;
        var sender = new Sender(route, TimeProvider.System);
        var dispatch = new Dispatch(window, sender, new BrokerLink(bus, route, TimeProvider.System), new FailurePolicy(options), options, TimeProvider.System);
        window.Add([Messages.New(1)]);
        dispatch.Open(new Term(NewId.NextGuid(), leaseTime: null, new Beat(TimeProvider.System), TimeProvider.System));
    }

    private static IBusControl Bus() => MassTransit.Bus.Factory.CreateUsingInMemory(_ => { });

    private sealed class NoRoute(Exception exception) : BrokerRoute
    {
        public override Task<ISendEndpoint> To(Uri address) => throw exception;

        public override Task<ISendEndpoint> To(PublishedType type) => throw exception;

        public override Task Abandon() => Task.CompletedTask;

        public override void Dispose()
        {
        }
    }
}
