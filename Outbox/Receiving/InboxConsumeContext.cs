using System.Collections.Concurrent;
using MassTransit;
using MassTransit.Middleware;
using MassTransit.Middleware.Outbox;
using Microsoft.EntityFrameworkCore;
using Outbox.Capturing;

namespace Outbox.Receiving;

/// <summary>
/// What a consumer gets inside the inbox's transaction: everything it publishes, sends and responds becomes a row of the
/// same transaction, and nobody is told of its success or failure before the transaction has ended.
/// </summary>
internal sealed class InboxConsumeContext<TMessage>(
    ConsumeContext<TMessage> context, OutboxConsumeOptions options, IServiceProvider provider, DbContext dbContext, OutboxCapture capture)
    : OutboxConsumeContextProxy<TMessage>(context, options, provider)
    where TMessage : class
{
    private readonly ConcurrentQueue<Func<Task>> _consumed = [];
    private readonly ConcurrentQueue<Func<Task>> _faulted = [];

    // Once consumed there is nothing left to deliver: the relay does that, from the committed rows.
    public override bool IsOutboxDelivered => IsMessageConsumed;

    /// <summary>The pass that only tells the receive context, after the commit or for a duplicate.</summary>
    public bool Completing { private get; init; }

    public override bool IsMessageConsumed => Completing;

    public override bool ContinueProcessing { get; set; } = true;

    public override int ReceiveCount => 1;

    public override long? LastSequenceNumber => null;

    public override Task AddSend<T>(SendContext<T> context) => capture.AddSend(context);

    /// <summary>The consumer has run: stores its changes and its messages. The commit follows.</summary>
    public override async Task SetConsumed()
    {
        // A failed save ends the whole transaction, so a savepoint around it would only cost two commands.
        var savepoints = dbContext.Database.AutoSavepointsEnabled;
        dbContext.Database.AutoSavepointsEnabled = false;
        try
        {
            await dbContext.SaveChangesAsync(CancellationToken).ConfigureAwait(false);
        }
        finally
        {
            dbContext.Database.AutoSavepointsEnabled = savepoints;
        }
    }

    public override Task NotifyConsumed<T>(ConsumeContext<T> context, TimeSpan duration, string consumerType)
    {
        if (Completing)
            return base.NotifyConsumed(context, duration, consumerType);

        _consumed.Enqueue(() => base.NotifyConsumed(context, duration, consumerType));
        return Task.CompletedTask;
    }

    public override Task NotifyFaulted<T>(ConsumeContext<T> context, TimeSpan duration, string consumerType, Exception exception)
    {
        _faulted.Enqueue(() => base.NotifyFaulted(context, duration, consumerType, exception));
        return Task.CompletedTask;
    }

    /// <summary>The transaction has been committed: tells what was held back.</summary>
    public async Task Committed()
    {
        await TellFaults().ConfigureAwait(false);
        while (_consumed.TryDequeue(out var notify))
            await notify().ConfigureAwait(false);
    }

    /// <summary>The transaction was rolled back for good: tells what failed, and forgets what succeeded.</summary>
    /// <returns>Whether anything had failed inside.</returns>
    public Task<bool> RolledBack() => TellFaults();

    public override Task<List<OutboxMessageContext>> LoadOutboxMessages() => Task.FromResult(new List<OutboxMessageContext>());

    public override Task NotifyOutboxMessageDelivered(OutboxMessageContext message) => Task.CompletedTask;

    public override Task RemoveOutboxMessages() => Task.CompletedTask;

    public override Task SetDelivered() => Task.CompletedTask;

    private async Task<bool> TellFaults()
    {
        var any = false;
        while (_faulted.TryDequeue(out var notify))
        {
            any = true;
            await notify().ConfigureAwait(false);
        }

        return any;
    }
}
