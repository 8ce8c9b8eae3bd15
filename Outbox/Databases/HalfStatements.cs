namespace Outbox.Databases;

/// <summary>
/// The statements by which half messages are decided and remembered, built once. Every decision is a compare-and-set on
/// the state: whoever comes second changes nothing, and learns from <see cref="Find"/> what the first one decided.
/// </summary>
internal sealed class HalfStatements
{
    public HalfStatements(SqlDialect dialect)
    {
        var m = dialect.Tables.Message;
        var (id, state, due, closed) = (m[nameof(OutboxMessage.SequenceNumber)], m[nameof(OutboxMessage.State)], m[nameof(OutboxMessage.DueAt)], m[nameof(OutboxMessage.ClosedAt)]);
        var (body, size, history) = (m[nameof(OutboxMessage.Body)], m[nameof(OutboxMessage.Size)], m[nameof(OutboxMessage.History)]);
        var (attempts, returns, error) = (m[nameof(OutboxMessage.Attempts)], m[nameof(OutboxMessage.Returns)], m[nameof(OutboxMessage.LastError)]);

        Commit = $"""
            UPDATE {m}
            SET {state} = 0, {due} = @due, {attempts} = 0, {returns} = 0, {error} = NULL, {history} = concat({history}, @entry)
            WHERE {id} = @id AND {state} = 3
            """;
        Rollback = $"""
            UPDATE {m}
            SET {state} = 4, {due} = NULL, {closed} = @now, {body} = @empty, {size} = 0, {history} = concat({history}, @entry)
            WHERE {id} = @id AND {state} = 3
            """;
        Find = $"SELECT {state} FROM {m} WHERE {id} = @id";
        Settle = dialect.UpdateListed(m, set: $"{state} = 5, {closed} = @now, {body} = @empty, {size} = 0", where: $"{state} = 0", id, "@ids");
        SettleKept = $"""
            UPDATE {m} SET {state} = 5, {closed} = @now, {body} = @empty, {size} = 0
            WHERE {state} = 1 AND {id} IN (
              SELECT {id} FROM {m}
              WHERE {state} = 1 AND {state} <> 0 AND {closed} <= @before AND {history} IS NOT NULL
              ORDER BY {id}
              {dialect.Limit("@limit")})
            """;
    }

    /// <summary>Commits a prepared message: it enters like everything that enters later, by its due time.</summary>
    public string Commit { get; }

    /// <summary>Rolls a prepared message back; the row stays as the fence.</summary>
    public string Rollback { get; }

    /// <summary>What a row says, for one that could not be decided any more.</summary>
    public string Find { get; }

    /// <summary>Keeps of the rows <c>@ids</c>, which are done with, only that they were committed.</summary>
    public string Settle { get; }

    /// <summary>
    /// The same of at most <c>@limit</c> half messages that were kept as sent since <c>@before</c> or longer. The decision is remembered from
    /// now on: the clock of the kept rows stands while the process is down, and may be far behind.
    /// </summary>
    public string SettleKept { get; }
}
