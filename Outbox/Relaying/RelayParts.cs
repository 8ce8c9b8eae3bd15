using MassTransit;
using MassTransit.Configuration;
using Microsoft.Extensions.Logging;
using Outbox.Databases;

namespace Outbox.Relaying;

/// <summary>A relay put together: what it consists of, and who knows whom.</summary>
internal sealed class RelayParts : IDisposable, IAsyncDisposable
{
    // How much of one key waits in memory: enough for a full batch's worth of confirms, too little to crowd the others out.
    private const int LaneShare = 4;

    private readonly RelayConnection _beatConnection;
    private readonly BrokerRoute _route;

    public RelayParts(
        OutboxRegistration registration, OutboxStore store, IBusControl bus, IHostConfiguration? host, TimeProvider time, ILogger logger)
    {
        var options = registration.Options;
        Connection = new RelayConnection(store, options);
        _beatConnection = new RelayConnection(store, options);
        _route = BrokerRoute.Of(bus, host);

        var policy = new FailurePolicy(options);
        var table = new MessageTable(Connection, options);
        var keeping = new Keeping(registration, table, time);
        var link = new BrokerLink(bus, _route, time);
        Window = new MessageWindow(options.MessageDeliveryLimit, Math.Max(1, options.QueryMessageLimit / LaneShare));
        var dispatch = new Dispatch(Window, new Sender(_route, time), link, policy, options, time);
        Membership = new Membership(_beatConnection, new DatabaseFileLock(_beatConnection), options, time, logger);
        Relay = new Relay(
            options, Membership, new Ownership(new LeaseTable(Connection), registration), link, Window, dispatch,
            new Settlement(Window, table, policy, keeping, time, logger), new Reading(Window, table, options, time), keeping, time, logger);
        Signals = new RelaySignals(registration.WakeUp, dispatch.Answered, Membership.Changed, time);
    }

    public RelayConnection Connection { get; }

    public Membership Membership { get; }

    public MessageWindow Window { get; }

    public Relay Relay { get; }

    public RelaySignals Signals { get; }

    public void Dispose()
    {
        _route.Dispose();
        Membership.Dispose();
    }

    public async ValueTask DisposeAsync()
    {
        await _route.Abandon().ConfigureAwait(false);
        await Connection.DisposeAsync().ConfigureAwait(false);
        await _beatConnection.DisposeAsync().ConfigureAwait(false);
    }
}
