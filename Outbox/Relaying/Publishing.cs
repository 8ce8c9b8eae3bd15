using System.Diagnostics;
using RabbitMQ.Client;

namespace Outbox.Relaying;

/// <summary>One message as it is handed to a channel; the task ends with what the broker says of it.</summary>
internal sealed class Publishing(string exchange, string routingKey, bool mandatory, BasicProperties properties, byte[] body) : TaskCompletionSource
{
    public string Exchange => exchange;

    public string RoutingKey => routingKey;

    public bool Mandatory => mandatory;

    public BasicProperties Properties => properties;

    public byte[] Body => body;

    /// <summary>The span in which it was handed over: somebody else may publish it.</summary>
    public Activity? Span { get; } = Activity.Current;

    /// <summary>Why it was not taken; <see langword="null"/> when it was.</summary>
    public Exception? Fault { get; set; }

    /// <summary>Ends the task, and runs what waits for it.</summary>
    public void Answer()
    {
        if (Fault is null)
            TrySetResult();
        else
            TrySetException(Fault);
    }
}
