namespace Outbox.Databases;

/// <summary>The inbox's statements, built once.</summary>
internal sealed class InboxStatements(SqlDialect dialect)
{
    /// <inheritdoc cref="SqlDialect.Fit"/>
    public void Fit(System.Data.Common.DbParameter parameter) => dialect.Fit(parameter);

    /// <inheritdoc cref="SqlDialect.List(IReadOnlyCollection{Guid})"/>
    public object List(IReadOnlyCollection<Guid> values) => dialect.List(values);

    /// <inheritdoc cref="SqlDialect.List(IReadOnlyCollection{long})"/>
    public object List(IReadOnlyCollection<long> values) => dialect.List(values);

    /// <inheritdoc cref="SqlDialect.InboxClaim"/>
    public string Claim { get; } = dialect.InboxClaim;

    /// <inheritdoc cref="SqlDialect.InboxClaimMany"/>
    public string? ClaimMany { get; } = dialect.InboxClaimMany;

    /// <inheritdoc cref="SqlDialect.InboxAwait"/>
    public string Await { get; } = dialect.InboxAwait;

    /// <inheritdoc cref="SqlDialect.InboxCleanUp"/>
    public string CleanUp { get; } = dialect.InboxCleanUp;
}
