namespace Outbox.Testing;

/// <summary>How a private RabbitMQ node is started.</summary>
public sealed record RabbitMqOptions
{
    /// <summary>
    /// The largest body in bytes; a larger one makes the broker close the channel it came on (null: RabbitMQ's own,
    /// 128 MiB in 3.10).
    /// </summary>
    public int? MaxMessageSize { get; init; }

    /// <summary>Further settings, by their names in <c>rabbitmq.conf</c>.</summary>
    public IReadOnlyDictionary<string, string> Settings { get; init; } = new Dictionary<string, string>(StringComparer.Ordinal);
}
