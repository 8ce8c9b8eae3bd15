using MassTransit;
using Microsoft.EntityFrameworkCore;
using Outbox.Capturing;
using Outbox.Databases;

namespace Outbox.Preparing;

/// <summary>Stores half messages, on connections of their own, and decides them for one DbContext.</summary>
internal sealed class Preparation(OutboxRegistration registration, OutboxStore store, DecisionInterceptor interceptor, DbContext dbContext, IServiceProvider provider, TimeProvider time)
{
    private readonly DecisionTable _table = new(store, time);

    /// <summary>What waits for the DbContext's next save.</summary>
    public JoinedDecisions Joined => interceptor.Of(dbContext, registration, _table);

    /// <inheritdoc cref="OutboxRegistration.Replica"/>
    public string Replica => registration.Replica;

    /// <summary>Captures a message that is to be prepared.</summary>
    public OutboxCapture Capture(Action<OutboxMessage> keep) => new(registration, dbContext, provider, time, keep);

    /// <summary>Refuses what could not be prepared, before anything is stored.</summary>
    /// <exception cref="ConfigurationException">Nobody would answer for the message.</exception>
    /// <exception cref="InvalidOperationException">A transaction is open.</exception>
    public CheckBackOptions Check(Type messageType)
    {
        if (registration.Options.CheckBacks.For(messageType) is not { } checkBack)
        {
            throw new ConfigurationException(
                $"{messageType.Name} needs a check-back to be prepared; found none in the outbox of {registration.DbContextType.Name}. "
                + $"Call AddCheckBack<{messageType.Name}, ...>() with its ICheckBack<{messageType.Name}> where the outbox is added.");
        }

        MustBeOutsideTransactions("Prepare", "prepare before the transaction begins; or, where the message is about rows of this DbContext only (as in a consumer that uses the inbox), publish it instead");
        return checkBack.Options;
    }

    /// <summary>What works on a connection of its own would wait for the caller's transaction, on SQLite until the time-out.</summary>
    public void MustBeOutsideTransactions(string what, string fix)
    {
        if (dbContext.HasTransaction())
            throw new InvalidOperationException($"{what} works in a transaction of its own; found that {dbContext.GetType().Name} has one open. To mend it, {fix}.");
    }

    /// <summary>Stores a captured message as prepared, at once.</summary>
    /// <exception cref="InvalidOperationException">It is to be gone by a time, or not to be sent before one, which nobody can promise of a decision.</exception>
    public async Task<IHalfMessage> Store(OutboxMessage row, CheckBackOptions options, CancellationToken cancellationToken)
    {
        MustBeFreeOfTimes(row);
        var now = time.GetUtcNow().UtcDateTime;
        (row.State, row.DueAt) = (OutboxMessageState.Prepared, now + options.CheckBackDelay);
        row.History = HalfHistory.Line(new HalfMessageEvent(now, Replica, HalfMessageEventKind.Prepared));

        var scope = store.Open(out var own);
        await using (scope.ConfigureAwait(false))
        {
            own.Add(row);

            // When an answer was lost the row may be there, decided even: stored twice, it would be checked back and sent twice.
            row.SequenceNumber = await own.Database.CreateExecutionStrategy().ExecuteAsync(
                own,
                async (_, context, cancel) =>
                {
                    await context.SaveChangesAsync(cancel).ConfigureAwait(false);
                    return row.SequenceNumber;
                },
                async (_, context, cancel) =>
                {
                    var stored = await context.Set<OutboxMessage>()
                        .Where(m => m.MessageId == row.MessageId && m.History != null)
                        .Select(m => (long?)m.SequenceNumber).FirstOrDefaultAsync(cancel).ConfigureAwait(false);
                    return new Microsoft.EntityFrameworkCore.Storage.ExecutionResult<long>(stored is not null, stored ?? 0);
                },
                cancellationToken).ConfigureAwait(false);
        }

        return new HalfMessage(row, this);
    }

    // Its time would run out while it is not decided, and what was committed would be lost.
    private static void MustBeFreeOfTimes(OutboxMessage row)
    {
        var found = row.ExpiresAt is { } expires ? $"a time to live, until {expires:O}" : row.DueAt is { } due ? $"a delay, until {due:O}" : null;
        if (found is not null)
        {
            throw new InvalidOperationException(
                $"A half message ({row.MessageType.Split(';')[0]}) is sent when it is committed, whenever that is; found that it was given {found}. "
                + "Take it out of the type's publish configuration.");
        }
    }

    /// <summary>Decides at once.</summary>
    public async Task Decide(Decision decision, CancellationToken cancellationToken)
    {
        var scope = store.Open(out var own);
        await using (scope.ConfigureAwait(false))
            await _table.ApplyAloneAsync(own, [decision], cancellationToken).ConfigureAwait(false);
        if (decision.IsCommit)
            registration.WakeUp.Raise();
    }
}
