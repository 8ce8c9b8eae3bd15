using System.Collections.Concurrent;
using System.Threading.Channels;

namespace Notifications;

/// <summary>What happens to the feed within this process. What other replicas do is found by looking.</summary>
public sealed class FeedSignal
{
    private readonly Channel<bool> _work = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
    private readonly ConcurrentDictionary<Guid, TaskCompletionSource> _readers = new();

    /// <summary>Something was committed that may have to be numbered.</summary>
    public void Wake() => _work.Writer.TryWrite(true);

    /// <summary>Waits for <see cref="Wake"/>, or until it is time to look anyway.</summary>
    /// <returns>Whether it was woken.</returns>
    public async Task<bool> WaitForWork(TimeSpan atMost, TimeProvider time, CancellationToken cancellationToken)
    {
        using var limit = new CancellationTokenSource(atMost, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        try
        {
            return await _work.Reader.ReadAsync(either.Token);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return false;
        }
    }

    /// <summary>Ends with the next notification for the receiver. Ask before you read, so that none comes in between.</summary>
    public Task Next(Guid receiverId) => _readers.GetOrAdd(receiverId, _ => new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).Task;

    /// <summary>Tells whoever waits that there is something for these receivers.</summary>
    public void Tell(IEnumerable<Guid> receiverIds)
    {
        foreach (var id in receiverIds)
        {
            if (_readers.TryRemove(id, out var reader))
            {
                reader.TrySetResult();
            }
        }
    }
}
