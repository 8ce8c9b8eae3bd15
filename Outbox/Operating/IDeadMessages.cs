using Microsoft.EntityFrameworkCore;

namespace Outbox;

/// <summary>The messages of an outbox that could not be sent, and what an operator can do with them.</summary>
/// <typeparam name="TDbContext">The DbContext that the outbox was registered for.</typeparam>
public interface IDeadMessages<TDbContext>
    where TDbContext : DbContext
{
    /// <summary>The dead messages in the order of their sequence numbers, without their bodies.</summary>
    /// <param name="after">Leaves out the numbers up to this one: pass the last one seen to go on.</param>
    /// <param name="limit">The most to return, from 1 to 1,000. Default 50.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="limit"/> is out of its range.</exception>
    Task<IReadOnlyList<DeadMessage>> List(long after = 0, int limit = 50, CancellationToken cancellationToken = default);

    /// <summary>Makes dead messages pending again, with all their attempts before them. Others are left as they are.</summary>
    /// <param name="sequenceNumbers">Which ones.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <returns>How many were dead and are pending now.</returns>
    Task<int> Requeue(IReadOnlyCollection<long> sequenceNumbers, CancellationToken cancellationToken = default);

    /// <summary>Throws dead messages away. Others are left as they are.</summary>
    /// <param name="sequenceNumbers">Which ones.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <returns>How many were dead and will never be sent.</returns>
    Task<int> Discard(IReadOnlyCollection<long> sequenceNumbers, CancellationToken cancellationToken = default);
}

/// <summary>A message that could not be sent.</summary>
/// <param name="SequenceNumber">Names the message to <see cref="IDeadMessages{TDbContext}"/>.</param>
/// <param name="MessageId">The message id.</param>
/// <param name="MessageType">The message's URNs, separated by semicolons.</param>
/// <param name="DestinationAddress">Where it was to go.</param>
/// <param name="PartitionKey">Its key, if it has one.</param>
/// <param name="HoldsKey">Whether the later messages of its key wait for it.</param>
/// <param name="Attempts">How many sends failed.</param>
/// <param name="LastError">What the last one reported.</param>
/// <param name="CreatedAt">When it was captured (UTC).</param>
/// <param name="DiedAt">When it was given up (UTC).</param>
/// <param name="Size">The length of its body in bytes.</param>
public sealed record DeadMessage(
    long SequenceNumber, Guid MessageId, string MessageType, string DestinationAddress, string? PartitionKey, bool HoldsKey,
    int Attempts, string? LastError, DateTime CreatedAt, DateTime? DiedAt, int Size);
