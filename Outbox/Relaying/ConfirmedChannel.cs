using System.Diagnostics;
using MassTransit;
using MassTransit.RabbitMqTransport;
using MassTransit.RabbitMqTransport.Configuration;
using MassTransit.RabbitMqTransport.Middleware;
using MassTransit.Transports;
using RabbitMQ.Client;
using RabbitMQ.Client.Events;
using RabbitMQ.Client.Exceptions;
using PublishException = RabbitMQ.Client.Exceptions.PublishException;

namespace Outbox.Relaying;

/// <summary>A connection to RabbitMQ, the one channel on it, and the broker's confirmations of what is published there.</summary>
/// <remarks>
/// The client could follow the confirmations itself. It then adds a header to each message, wakes a thread for each answer, and has lost
/// one now and then for ever. Here whoever comes publishes for all who come meanwhile, and the answers that arrive together are passed
/// on together, by a thread that is not the one which reads from the connection.
/// </remarks>
internal sealed class ConfirmedChannel : RabbitMqChannelContext, ChannelContext, IThreadPoolWorkItem, IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);

    // A connection has a limited number of channels.
    private const int DeclaredAtATime = 8;

    private readonly Lock _gate = new();
    private readonly RabbitMqConnectionContext _context;
    private readonly IConnection _connection;
    private readonly SemaphoreSlim _declaring = new(DeclaredAtATime);
    private readonly Confirmations _confirmations = new();
    private readonly Queue<Publishing> _waiting = [];
    private List<Publishing> _answered = [];
    private bool _isPublishing;
    private bool _isAnswering;
    private Exception? _end;

    private ConfirmedChannel(RabbitMqConnectionContext context, IChannel channel)
        : base(context, channel, CancellationToken.None)
    {
        (_context, _connection) = (context, context.Connection);
        channel.BasicAcksAsync += OnAck;
        channel.BasicNacksAsync += OnNack;
        channel.BasicReturnAsync += OnReturn;
        channel.ChannelShutdownAsync += OnShutdown;
        _connection.ConnectionShutdownAsync += OnShutdown;
    }

    /// <summary>Whether nothing can be published on it any more. The client does not always say so: whoever asks has it end.</summary>
    public bool HasEnded()
    {
        if (Volatile.Read(ref _end) is null && (Channel.CloseReason ?? _connection.CloseReason) is { } reason)
            End(new OperationInterruptedException(reason));
        return Volatile.Read(ref _end) is not null;
    }

    /// <summary>Connects as the bus does.</summary>
    /// <exception cref="ConnectionException">There is no way to the broker.</exception>
    public static async Task<ConfirmedChannel> Open(IRabbitMqHostConfiguration host)
    {
        var settings = host.Settings;
        IConnection? connection = null;
        try
        {
            var factory = settings.GetConnectionFactory();
            await settings.Refresh(factory).ConfigureAwait(false);
            connection = settings.EndpointResolver is { } resolver
                ? await factory.CreateConnectionAsync(resolver, settings.ClientProvidedName).ConfigureAwait(false)
                : await factory.CreateConnectionAsync([settings.Host], settings.ClientProvidedName).ConfigureAwait(false);
            var context = new RabbitMqConnectionContext(connection, host, settings.ToDescription(factory), CancellationToken.None);
            context.GetOrAddPayload(() => settings);
            var channel = await connection.CreateChannelAsync(new CreateChannelOptions(true, false)).ConfigureAwait(false);
            return new ConfirmedChannel(context, channel);
        }
        catch (Exception exception)
        {
            if (connection is not null)
                await Leave(connection).ConfigureAwait(false);
            throw new ConnectionException($"RabbitMQ cannot be reached: {settings.ToDescription()}", exception);
        }
    }

    /// <summary>
    /// Declares what an address needs by a channel that is given up afterwards: the broker closes one when it refuses, and this one
    /// would take the messages of all others with it.
    /// </summary>
    /// <exception cref="UndeclaredException">The broker does not do it.</exception>
    /// <exception cref="ConnectionException">There is no way to the broker.</exception>
    public async Task Declare(ConfigureRabbitMqTopologyFilter<SendSettings> needed)
    {
        await _declaring.WaitAsync().ConfigureAwait(false);
        try
        {
            var channel = new RabbitMqChannelContext(_context, await _connection.CreateChannelAsync().ConfigureAwait(false), CancellationToken.None);
            await using (channel.ConfigureAwait(false))
                await needed.Configure(channel).ConfigureAwait(false);
        }
        catch (OperationInterruptedException refusal) when (refusal.ShutdownReason is { Initiator: ShutdownInitiator.Peer, ReplyCode: Constants.AccessRefused or Constants.PreconditionFailed })
        {
            throw new UndeclaredException(refusal, mayPass: false);
        }
        catch (OperationInterruptedException refusal) when (refusal.ShutdownReason is { Initiator: ShutdownInitiator.Peer, ReplyCode: Constants.NotFound or Constants.ResourceLocked })
        {
            throw new UndeclaredException(refusal, mayPass: true);
        }
        catch (TimeoutException silence)
        {
            throw new UndeclaredException(silence, mayPass: true);
        }
        catch (Exception exception)
        {
            throw new ConnectionException("The way to the broker broke while something was declared.", exception);
        }
        finally
        {
            _declaring.Release();
        }
    }

    /// <summary>Hands a message over; the task ends with the broker's answer.</summary>
    Task ChannelContext.BasicPublishAsync(string exchange, string routingKey, bool mandatory, BasicProperties basicProperties, byte[] body, bool awaitAck)
    {
        var publishing = new Publishing(exchange, routingKey, mandatory, basicProperties, body);
        lock (_gate)
        {
            if (_end is not null)
                return Task.FromException(_end);
            _waiting.Enqueue(publishing);
            if (_isPublishing)
                return publishing.Task;
            _isPublishing = true;
        }

        _ = PublishWaiting();
        return publishing.Task;
    }

    /// <summary>Passes answers on.</summary>
    void IThreadPoolWorkItem.Execute()
    {
        while (true)
        {
            List<Publishing> answered;
            lock (_gate)
            {
                _isAnswering = _answered.Count > 0;
                if (!_isAnswering)
                    return;
                (answered, _answered) = (_answered, new List<Publishing>(_answered.Count));
            }

            foreach (var publishing in answered)
                publishing.Answer();
        }
    }

    async ValueTask IAsyncDisposable.DisposeAsync()
    {
        End(new OperationCanceledException("The relay left the connection."));
        await Leave(_connection).ConfigureAwait(false);
    }

    /// <summary>One at a time, so that the numbers given here are those that the broker counts.</summary>
    private async Task PublishWaiting()
    {
        while (true)
        {
            Publishing? next = null;
            lock (_gate)
            {
                _isPublishing = _end is null && _waiting.TryDequeue(out next);
                if (!_isPublishing)
                    return;
                _confirmations.Add(next!);
            }

            if (Activity.Current != next!.Span)
                Activity.Current = next.Span;
            try
            {
                await Channel.BasicPublishAsync(next.Exchange, next.RoutingKey, next.Mandatory, next.Properties, next.Body, CancellationToken).ConfigureAwait(false);
            }
            catch (Exception exception)
            {
                if (!Withdraw(next, exception))
                    End(exception);
            }
        }
    }

    /// <summary>
    /// What cannot be written as a frame, a header that AMQP has no type for, say, is not on its way, and harms no other: the client throws
    /// before it writes anything.
    /// </summary>
    private bool Withdraw(Publishing publishing, Exception exception)
    {
        lock (_gate)
        {
            if (_end is not null || !Channel.IsOpen || !_connection.IsOpen)
                return false;
            _confirmations.TakeBack();
            publishing.Fault = new UnsendableException(exception);
            _answered.Add(publishing);
            PassOn();
            return true;
        }
    }

    private Task OnAck(object sender, BasicAckEventArgs answer) => OnAnswer(answer.DeliveryTag, answer.Multiple, null);

    private Task OnNack(object sender, BasicNackEventArgs answer)
        => OnAnswer(answer.DeliveryTag, answer.Multiple, new PublishException(answer.DeliveryTag, isReturn: false));

    private Task OnAnswer(ulong number, bool multiple, Exception? fault)
    {
        lock (_gate)
        {
            _confirmations.Answered(number, multiple, fault, _answered);
            PassOn();
        }

        return Task.CompletedTask;
    }

    private Task OnReturn(object sender, BasicReturnEventArgs returned)
    {
        lock (_gate)
        {
            _confirmations.Returned(
                returned.BasicProperties.MessageId, returned.Exchange, returned.RoutingKey,
                new MessageReturnedException($"RabbitMQ returned the message: {returned.ReplyCode} {returned.ReplyText}, exchange '{returned.Exchange}'."), _answered);
            PassOn();
        }

        return Task.CompletedTask;
    }

    private Task OnShutdown(object sender, ShutdownEventArgs reason)
    {
        End(new OperationInterruptedException(reason));
        return Task.CompletedTask;
    }

    private void End(Exception end)
    {
        lock (_gate)
        {
            if (_end is not null)
                return;
            _end = end;
            _confirmations.End(end, _answered);
            while (_waiting.TryDequeue(out var never))
            {
                never.Fault = end;
                _answered.Add(never);
            }

            PassOn();
        }
    }

    // The gate is held.
    private void PassOn()
    {
        if (_isAnswering || _answered.Count == 0)
            return;
        _isAnswering = true;
        ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
    }

    /// <summary>Whether it was broken or not, and however long it takes to say goodbye.</summary>
    private static async Task Leave(IConnection connection)
    {
        try
        {
            await connection.AbortAsync(Patience).ConfigureAwait(false);
            await connection.DisposeAsync().ConfigureAwait(false);
        }
        catch (Exception)
        {
            // It was broken, and that is why it is left behind.
        }
    }
}
