namespace Contracts;

/// <summary>Points were added to an account. Published by Points.Worker in the transaction that writes the ledger.</summary>
/// <param name="EntryId">The ledger entry.</param>
/// <param name="UserId">The account; also the ordering key.</param>
/// <param name="Amount">Points added.</param>
/// <param name="Balance">The account's balance after this entry.</param>
/// <param name="Reason">Why, in a word: <c>welcome</c> or <c>top-up</c>.</param>
/// <param name="BusinessKey">
/// Names the fact itself, however many messages tell of it: two with the same key are the same credit.
/// </param>
/// <param name="CreditedAt">UTC.</param>
public sealed record PointsCredited(
    Guid EntryId,
    Guid UserId,
    long Amount,
    long Balance,
    string Reason,
    string BusinessKey,
    DateTime CreditedAt);
