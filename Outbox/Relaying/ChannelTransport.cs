using MassTransit;
using MassTransit.Logging;
using MassTransit.RabbitMqTransport;
using MassTransit.RabbitMqTransport.Middleware;
using MassTransit.Transports;

namespace Outbox.Relaying;

/// <summary>
/// Sends to one exchange as MassTransit's own transport does, with all its filters, observers, spans and meters, but on a channel that the
/// relay keeps: nothing is registered, supervised or repeated for a single message.
/// </summary>
/// <param name="exchange">What MassTransit knows of the exchange.</param>
/// <param name="needed">What the broker must have for it.</param>
/// <param name="channel">The channel of this moment.</param>
internal sealed class ChannelTransport(
    RabbitMqSendTransportContext exchange, ConfigureRabbitMqTopologyFilter<SendSettings> needed, Func<ValueTask<ConfirmedChannel>> channel) : ISendTransport
{
    private readonly Lock _gate = new();
    private (ConfirmedChannel By, Task Declaring)? _declared;

    public ConnectHandle ConnectSendObserver(ISendObserver observer) => exchange.ConnectSendObserver(observer);

    public Task<SendContext<T>> CreateSendContext<T>(T message, IPipe<SendContext<T>> pipe, CancellationToken cancellationToken)
        where T : class
        => exchange.CreateSendContext(message, pipe, cancellationToken);

    public async Task Send<T>(T message, IPipe<SendContext<T>> pipe, CancellationToken cancellationToken)
        where T : class
    {
        LogContext.SetCurrentIfNull(exchange.LogContext);
        var open = await channel().ConfigureAwait(false);
        var context = await exchange.CreateSendContext(open, message, pipe, cancellationToken).ConfigureAwait(false);
        await Declared(open).ConfigureAwait(false);
        var (activity, instrument) = (LogContext.Current?.StartSendActivity(exchange, context), LogContext.Current?.StartSendInstrument(exchange, context));
        var observers = exchange.SendObservers;
        try
        {
            if (observers.Count > 0)
                await observers.PreSend(context).ConfigureAwait(false);
            await exchange.Send(open, context).ConfigureAwait(false);
            activity?.Update(context);
            context.LogSent();
            if (observers.Count > 0)
                await observers.PostSend(context).ConfigureAwait(false);
        }
        catch (Exception exception)
        {
            context.LogFaulted(exception);
            if (observers.Count > 0)
                await observers.SendFault(context, exception).ConfigureAwait(false);
            activity?.AddExceptionEvent(exception, escaped: true);
            instrument?.AddException(exception);
            throw;
        }
        finally
        {
            activity?.Stop();
            instrument?.Stop();
        }
    }

    /// <summary>Once by each connection, before anything is sent by it: the broker may have lost what it had.</summary>
    private Task Declared(ConfirmedChannel open)
    {
        lock (_gate)
        {
            if (_declared is not { } last || last.By != open || last.Declaring.IsFaulted)
                _declared = last = (open, Task.Run(() => open.Declare(needed), CancellationToken.None));
            return last.Declaring;
        }
    }
}
