using Contracts;
using Outbox;

namespace Users;

/// <summary>Asks the payment provider what became of a top-up whose producer did not say.</summary>
/// <remarks>
/// A charge that the provider has never heard of is closed before it counts as rolled back: its producer may only be slow,
/// and would charge afterwards. A provider that does not answer is no answer: the check is tried again.
/// </remarks>
internal sealed class CheckPayment(Payments payments, UsersDb db, CheckBackContext half) : ICheckBack<TopUpSucceeded>
{
    public async Task<CheckBackAnswer> Check(TopUpSucceeded message, CancellationToken cancellationToken)
    {
        var charge = await payments.Find(message.TopUpId, cancellationToken)
            ?? await payments.VoidIfAbsent(message.TopUpId, cancellationToken);
        switch (charge)
        {
            case ChargeState.Charged:
                await Settle(message, TopUpState.Succeeded, cancellationToken);
                return CheckBackAnswer.Committed;
            case ChargeState.Declined or ChargeState.Voided:
                await Settle(message, TopUpState.Failed, cancellationToken);
                return CheckBackAnswer.RolledBack;
            default:
                return CheckBackAnswer.Unknown;
        }
    }

    // Saved with the operator's decision too. Money that may have been taken is given back afterwards (OwedRefunds): given
    // back before, it would be gone when somebody else's commit comes first.
    public Task OperatorDecided(TopUpSucceeded message, CheckBackAnswer decision, CancellationToken cancellationToken) =>
        Settle(message, decision == CheckBackAnswer.Committed ? TopUpState.Succeeded : TopUpState.Refunding, cancellationToken);

    // Saved with the decision. Where the producer has not come to storing the top-up yet, it is stored here: the producer
    // then fails on its key, and nothing is left that stays pending for ever.
    private async Task Settle(TopUpSucceeded message, TopUpState state, CancellationToken cancellationToken)
    {
        var topUp = await db.TopUps.FindAsync([message.TopUpId], cancellationToken) ?? db.TopUps.Add(new TopUp
        {
            Id = message.TopUpId,
            UserId = message.UserId,
            Amount = message.Amount,
            StartedAt = message.SucceededAt,
            MessageId = half.MessageId,
        }).Entity;
        topUp.State = state;
    }
}
