using Notifications.Delivering;

namespace Notifications;

/// <summary>
/// Takes in together what comes at the same time, of whatever type: one transaction for many events, in which their first attempts begin; more
/// when they are for very many endpoints.
/// </summary>
/// <remarks>
/// Without the inbox: what makes an event single is its business key. When one of them cannot be taken in, each goes the way of the inbox, in
/// a transaction of its own.
/// </remarks>
internal sealed class EventIntake
{
    private const int Most = 64;

    private readonly GroupCommit<Happening> together;
    private readonly IServiceScopeFactory scopes;
    private readonly FirstAttempts attempts;
    private readonly DatabaseTurns turns;
    private readonly ILogger<EventIntake> logger;

    public EventIntake(IServiceScopeFactory scopes, FirstAttempts attempts, DatabaseTurns turns, ILogger<EventIntake> logger)
    {
        (this.scopes, this.attempts, this.turns, this.logger) = (scopes, attempts, turns, logger);
        together = new GroupCommit<Happening>(Most, TakeIn);
    }

    /// <summary>Takes in what happened.</summary>
    /// <returns>Whether it is stored now, or was before; otherwise it is to be tried on its own.</returns>
    public Task<bool> Add(Happening happening) => together.Add(happening);

    private async Task<bool> TakeIn(IReadOnlyList<Happening> happenings)
    {
        for (var stored = 0; stored < happenings.Count;)
        {
            var begun = new List<FirstAttempt>();
            try
            {
                stored += await turns.Run(() => Store([.. happenings.Skip(stored)], begun), CancellationToken.None);
            }
            catch (Exception exception)
            {
                // If it was committed all the same, the leases end, and the sweeper takes the attempts up. What was stored before it is
                // there already when it is tried on its own.
                attempts.Forget(begun);
                logger.NotTakenInTogether(happenings.Count, exception);
                return false;
            }

            attempts.Start(begun);
        }

        return true;
    }

    /// <returns>How many of them it stored: all, unless they are for very many endpoints.</returns>
    private async Task<int> Store(IReadOnlyList<Happening> happenings, List<FirstAttempt> begun)
    {
        await using var scope = scopes.CreateAsyncScope();
        var db = scope.ServiceProvider.GetRequiredService<NotificationsDb>();
        var start = scope.ServiceProvider.GetRequiredService<FirstAttemptStart>();
        var (told, count) = await scope.ServiceProvider.GetRequiredService<EventLog>().Add(happenings, CancellationToken.None);
        foreach (var one in told)
        {
            if (await start.Begin(one, CancellationToken.None) is { } attempt)
            {
                begun.Add(attempt);
            }
        }

        await db.SaveChangesAsync();
        return count;
    }
}

internal static partial class AcceptingLog
{
    [LoggerMessage(1, LogLevel.Warning, "{Count} events could not be taken in together; each is tried on its own")]
    public static partial void NotTakenInTogether(this ILogger logger, int count, Exception exception);
}
