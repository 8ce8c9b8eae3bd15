using MassTransit;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Outbox.Databases;
using Outbox.Preparing;
using Outbox.Relaying;
using Outbox.Telemetry;

namespace Outbox.Checking;

/// <summary>One check of one half message: ask in a fresh scope, then decide, or write down why not.</summary>
/// <remarks>
/// No transaction is open while the answer is awaited. A process that dies on the way has written nothing: the check is still
/// due, and happens again.
/// </remarks>
internal sealed class CheckRun(OutboxRegistration registration, OutboxStore store, DecisionInterceptor interceptor, TimeProvider time, ILogger logger)
{
    private const string HowDecided = "check-back";

    private readonly DecisionTable _table = new(store, time);

    /// <summary>Runs the check, unless the message was decided or checked meanwhile.</summary>
    /// <returns>
    /// What still runs although nobody waits for it any more: a checker that does not heed its cancellation. After
    /// <see cref="CheckBackOptions.MaxCheckBackInterval"/> that is given up, too, and the message can be asked about again.
    /// </returns>
    public async Task<Task> Run(CheckBack checkBack, long id, CancellationToken stopping)
    {
        if (await Load(id, stopping).ConfigureAwait(false) is not { State: OutboxMessageState.Prepared, DueAt: { } due } row || due > Now)
            return Task.CompletedTask;

        var scope = store.Open(out var dbContext);
        var asking = Task.CompletedTask;
        Finding? finding = null;
        try
        {
            scope.ServiceProvider.GetRequiredService<CheckBackContext>().ReadFrom(row, registration.Options.DecisionRetention);

            var answer = await Ask(scope.ServiceProvider, checkBack, row, task => asking = task, stopping).ConfigureAwait(false);
            if (answer == CheckBackAnswer.Unknown)
                finding = Unknown(row, checkBack.Options);
            else
                await Decide(dbContext, row, answer, stopping).ConfigureAwait(false);
        }
        catch (Exception) when (stopping.IsCancellationRequested)
        {
            // Written down is nothing: the check is still due.
        }
        catch (HalfMessageDecidedException overtaken)
        {
            logger.CheckOvertaken(row.MessageId, overtaken.Found);
        }
        catch (Exception exception)
        {
            finding = NoAnswer(row, checkBack.Options, exception);
        }

        // What the checker may have left open is closed before anything is written.
        var ended = End(asking, scope);
        if (asking.IsCompleted)
            await ended.ConfigureAwait(false);
        if (finding is not null)
            await Note(row, finding, stopping).ConfigureAwait(false);
        return ended.IsCompleted ? ended : GivenUp(ended, checkBack.Options.MaxCheckBackInterval);
    }

    /// <summary>Writes into a row that this replica has nobody to ask. Its due time stays: another replica may have.</summary>
    public Task NoteStranger(OutboxMessage row, CancellationToken cancellationToken)
    {
        // The event names the replica. The text does not, or two replicas would write it in turns.
        var error = $"A replica has no check-back for {row.MessageType.Split(';')[0]}.";
        return row.LastError == error
            ? Task.CompletedTask
            : Note(row, new Finding(row.Attempts, row.Returns, row.DueAt, error, Event(HalfMessageEventKind.NoAnswer, error)), cancellationToken);
    }

    private DateTime Now => time.GetUtcNow().UtcDateTime;

    private async Task<OutboxMessage?> Load(long id, CancellationToken cancellationToken)
    {
        var scope = store.Open(out var dbContext);
        await using (scope.ConfigureAwait(false))
        {
            return await dbContext.Set<OutboxMessage>().AsNoTracking()
                .SingleOrDefaultAsync(m => m.SequenceNumber == id, cancellationToken).ConfigureAwait(false);
        }
    }

    private async Task<CheckBackAnswer> Ask(IServiceProvider services, CheckBack checkBack, OutboxMessage row, Action<Task> began, CancellationToken stopping)
    {
        using var limit = new CancellationTokenSource(checkBack.Options.CheckTimeout, time);
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, stopping);
        var (cancelled, given) = (ending.Token, limit.Token);

        // On a thread of its own: a checker that blocks keeps nobody else from being asked.
        var asking = Task.Run(() => checkBack.Ask(services, row, cancelled), CancellationToken.None);
        began(asking);
        try
        {
            var answer = await asking.WaitAsync(cancelled).ConfigureAwait(false);
            return Enum.IsDefined(answer) ? answer : throw new InvalidOperationException($"A check-back answers Unknown, Committed or RolledBack; found {answer}.");
        }
        catch (OperationCanceledException late) when (given.IsCancellationRequested && !stopping.IsCancellationRequested)
        {
            throw new TimeoutException($"The check-back of {checkBack.MessageType.Name} took longer than {checkBack.Options.CheckTimeout}.", late);
        }
    }

    private async Task Decide(DbContext dbContext, OutboxMessage row, CheckBackAnswer answer, CancellationToken cancellationToken)
    {
        if (dbContext.HasTransaction())
            throw new InvalidOperationException($"A check-back leaves the saving to the outbox; found that it left a transaction of {dbContext.GetType().Name} open.");

        var decision = new Decision(row.SequenceNumber, row.MessageId, answer == CheckBackAnswer.Committed, registration.Replica, HowDecided);
        interceptor.Of(dbContext, registration, _table).Want(decision);
        await dbContext.SaveChangesAsync(cancellationToken).ConfigureAwait(false);
        logger.CheckDecided(row.MessageId, answer);
    }

    private Finding Unknown(OutboxMessage row, CheckBackOptions options)
    {
        var answers = row.Attempts + 1;
        var due = answers < options.CheckBackLimit
            ? Now + BackOff.After(answers, options.CheckBackInterval, options.MaxCheckBackInterval)
            : (DateTime?)null;
        if (due is null)
            logger.Undecided(row.MessageId, row.SequenceNumber, row.MessageType.Split(';')[0], answers);
        return new Finding(answers, 0, due, null, Event(HalfMessageEventKind.Unknown));
    }

    private Finding NoAnswer(OutboxMessage row, CheckBackOptions options, Exception exception)
    {
        var error = ErrorText.Of(exception);
        var due = Now + BackOff.After(row.Returns + 1, options.CheckBackInterval, options.MaxCheckBackInterval);
        if (row.Returns == 0)
            logger.NoAnswer(row.MessageId, row.MessageType.Split(';')[0], due, exception);
        return new Finding(row.Attempts, row.Returns + 1, due, error, Event(HalfMessageEventKind.NoAnswer, error));
    }

    private HalfMessageEvent Event(HalfMessageEventKind kind, string? detail = null) => new(Now, registration.Replica, kind, detail);

    /// <summary>Writes a finding down, unless the message was decided or somebody else's finding came first.</summary>
    private async Task Note(OutboxMessage row, Finding finding, CancellationToken cancellationToken)
    {
        var history = HalfHistory.Append(row.History, finding.Event);
        var scope = store.Open(out var dbContext);
        await using (scope.ConfigureAwait(false))
        {
            await dbContext.Set<OutboxMessage>()
                .Where(m => m.SequenceNumber == row.SequenceNumber && m.State == OutboxMessageState.Prepared
                    && m.Attempts == row.Attempts && m.Returns == row.Returns && m.History == row.History)
                .ExecuteUpdateAsync(
                    set => set
                        .SetProperty(m => m.Attempts, finding.Attempts)
                        .SetProperty(m => m.Returns, finding.Returns)
                        .SetProperty(m => m.DueAt, finding.DueAt)
                        .SetProperty(m => m.LastError, finding.Error)
                        .SetProperty(m => m.History, history),
                    cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>The scope is the checker's for as long as it works, be it longer than anybody waits for it.</summary>
    private async Task End(Task asking, AsyncServiceScope scope)
    {
        try
        {
            await using (scope.ConfigureAwait(false))
                await asking.ConfigureAwait(false);
        }
        catch (Exception exception) when (asking.IsCompleted)
        {
            // Noted already, unless it came after the time-out, when the time-out was.
            logger.CheckEnded(exception);
        }
    }

    private async Task GivenUp(Task ended, TimeSpan patience)
    {
        try
        {
            await ended.WaitAsync(patience, time).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            // It keeps its scope for as long as it works.
        }
    }

    /// <summary>What a check that decided nothing leaves in the row.</summary>
    private sealed record Finding(int Attempts, int Returns, DateTime? DueAt, string? Error, HalfMessageEvent Event);
}
