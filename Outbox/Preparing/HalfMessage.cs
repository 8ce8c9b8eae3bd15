using MassTransit;
using Microsoft.EntityFrameworkCore;

namespace Outbox.Preparing;

/// <inheritdoc/>
internal sealed class HalfMessage(OutboxMessage row, Preparation preparation) : IHalfMessage
{
    public Guid MessageId { get; } = row.MessageId;

    public void Commit() => preparation.Joined.Want(Decision(isCommit: true));

    public void Rollback() => preparation.Joined.Want(Decision(isCommit: false));

    public Task CommitAsync(CancellationToken cancellationToken = default) => DecideAtOnce(isCommit: true, cancellationToken);

    public Task RollbackAsync(CancellationToken cancellationToken = default) => DecideAtOnce(isCommit: false, cancellationToken);

    /// <summary>A decision that was wanted and not saved is none: the check-back finds out.</summary>
    public ValueTask DisposeAsync()
    {
        preparation.Joined.Forget(row.SequenceNumber);
        return ValueTask.CompletedTask;
    }

    private Task DecideAtOnce(bool isCommit, CancellationToken cancellationToken)
    {
        preparation.MustBeOutsideTransactions(
            isCommit ? nameof(CommitAsync) : nameof(RollbackAsync), isCommit ? "call Commit() and save" : "call Rollback() and save");
        preparation.Joined.Forget(row.SequenceNumber);
        return preparation.Decide(Decision(isCommit), cancellationToken);
    }

    private Decision Decision(bool isCommit) => new(row.SequenceNumber, row.MessageId, isCommit, preparation.Replica);
}
