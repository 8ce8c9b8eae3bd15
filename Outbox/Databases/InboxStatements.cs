namespace Outbox.Databases;

/// <summary>The inbox's statements, built once.</summary>
internal sealed class InboxStatements(SqlDialect dialect)
{
    /// <inheritdoc cref="SqlDialect.Fit"/>
    public void Fit(System.Data.Common.DbParameter parameter) => dialect.Fit(parameter);

    /// <inheritdoc cref="SqlDialect.InboxClaim"/>
    public string Claim { get; } = dialect.InboxClaim;

    /// <inheritdoc cref="SqlDialect.InboxAwait"/>
    public string Await { get; } = dialect.InboxAwait;

    /// <inheritdoc cref="SqlDialect.InboxCleanUp"/>
    public string CleanUp { get; } = dialect.InboxCleanUp;

    /// <inheritdoc cref="SqlDialect.TransactionCheck"/>
    public string? TransactionCheck { get; } = dialect.TransactionCheck;
}
