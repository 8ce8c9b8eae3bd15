namespace Contracts;

/// <summary>Somebody paid for points. Prepared by Users.Api before the payment, and published once it was taken.</summary>
/// <param name="TopUpId">The top-up, and the charge at the payment provider.</param>
/// <param name="UserId">Who gets the points; also the ordering key.</param>
/// <param name="Amount">Points bought.</param>
/// <param name="SucceededAt">
/// UTC. The message is written before the payment is asked for, so this is when the top-up began.
/// </param>
public sealed record TopUpSucceeded(Guid TopUpId, Guid UserId, long Amount, DateTime SucceededAt);
