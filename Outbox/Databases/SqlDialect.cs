namespace Outbox.Databases;

/// <summary>
/// The text of the statements in which databases differ, and how a list is passed to them. No connections, no loops,
/// no retries: those are the caller's.
/// </summary>
internal abstract class SqlDialect(OutboxTables tables)
{
    protected OutboxTables Tables { get; } = tables;

    /// <summary>The value of one parameter that carries a list of numbers.</summary>
    public abstract object List(IReadOnlyCollection<long> values);

    /// <summary>Deletes the rows whose numbers are in <c>@ids</c>.</summary>
    public abstract string Delete { get; }
}
