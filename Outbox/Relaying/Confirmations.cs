namespace Outbox.Relaying;

/// <summary>
/// What was published on one channel and is not answered yet. The broker counts the messages of a channel from 1, and answers for a number, or for all
/// up to a number. What it returns has no number: returns come in the order of the publishes, before the answer for the same message.
/// </summary>
/// <remarks>Not thread-safe.</remarks>
internal sealed class Confirmations
{
    private readonly Dictionary<ulong, Publishing> _open = [];
    private ulong _last;
    private ulong _oldest = 1;
    private ulong _returned;

    /// <summary>The next to be published.</summary>
    public void Add(Publishing publishing) => _open.Add(++_last, publishing);

    /// <summary>Takes out those that an answer speaks of.</summary>
    public void Answered(ulong number, bool multiple, Exception? fault, List<Publishing> answered)
    {
        for (; multiple && _oldest < number; _oldest++)
            Take(_oldest, fault, answered);
        Take(number, fault, answered);
    }

    /// <summary>Takes out the one that the broker gave back. Those alike in all three go the same way, so the first of them is as good as another.</summary>
    public void Returned(string? messageId, string exchange, string routingKey, Exception fault, List<Publishing> answered)
    {
        for (var number = Math.Max(_oldest, _returned + 1); number <= _last; number++)
        {
            if (!_open.TryGetValue(number, out var open) || open.Properties.MessageId != messageId || open.Exchange != exchange || open.RoutingKey != routingKey)
                continue;
            _returned = number;
            Take(number, fault, answered);
            return;
        }
    }

    /// <summary>No answer will come any more.</summary>
    public void End(Exception fault, List<Publishing> answered)
    {
        foreach (var number in _open.Keys.Order().ToList())
            Take(number, fault, answered);
    }

    private void Take(ulong number, Exception? fault, List<Publishing> answered)
    {
        if (!_open.Remove(number, out var publishing))
            return;
        publishing.Fault = fault;
        answered.Add(publishing);
    }
}
