namespace Outbox.Relaying;

/// <summary>
/// What was published on one channel and is not answered yet. The broker counts the messages of a channel from 1, and answers for a number, or for all
/// up to a number. What it returns has no number; the return comes before the answer for the same message.
/// </summary>
/// <remarks>Not thread-safe.</remarks>
internal sealed class Confirmations
{
    private readonly Dictionary<ulong, Publishing> _open = [];
    private ulong _last;
    private ulong _oldest = 1;

    /// <summary>The next to be published.</summary>
    public void Add(Publishing publishing) => _open.Add(++_last, publishing);

    /// <summary>Takes out those that an answer speaks of.</summary>
    public void Answered(ulong number, bool multiple, Exception? fault, List<Publishing> answered)
    {
        for (var each = multiple ? _oldest : number; each <= number; each++)
            Take(each, fault, answered);
    }

    /// <summary>The last one was not published after all: the broker will not count it.</summary>
    public void TakeBack() => _open.Remove(_last--);

    /// <summary>
    /// Takes out the one that the broker gave back. Of those alike in all three the youngest: an older one may be there still because
    /// it was never answered, and nobody waits for it any more.
    /// </summary>
    public void Returned(string? messageId, string exchange, string routingKey, Exception fault, List<Publishing> answered)
    {
        for (var number = _last; number >= _oldest; number--)
        {
            if (_open.TryGetValue(number, out var open) && open.Mandatory
                && open.Properties.MessageId == messageId && open.Exchange == exchange && open.RoutingKey == routingKey)
            {
                Take(number, fault, answered);
                return;
            }
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
        while (_oldest <= _last && !_open.ContainsKey(_oldest))
            _oldest++;
    }
}
