using System.Globalization;
using MassTransit;
using Microsoft.Extensions.Configuration;

namespace ServiceDefaults;

/// <summary>
/// How a service's queues are received from, as far as an operator decides it:
/// <c>Consumers__&lt;queue&gt;__PrefetchCount</c>, <c>Consumers__&lt;queue&gt;__ConcurrentMessageLimit</c> and
/// <c>RabbitMq__QuorumQueues</c>.
/// </summary>
/// <param name="configuration">Where the settings are.</param>
internal sealed class ReceiveSettings(IConfiguration configuration)
{
    private const string Consumers = "Consumers";
    private const string Quorum = "RabbitMq:QuorumQueues";
    private const int MaxCount = 10_000;

    private readonly bool _quorum = ReadFlag(configuration, Quorum);
    private readonly List<Consumer> _consumers = [.. configuration.GetSection(Consumers).GetChildren().Select(Read)];

    /// <summary>Applies them to a queue.</summary>
    public void Apply(string queue, IReceiveEndpointConfigurator endpoint)
    {
        if (_quorum && endpoint is IRabbitMqReceiveEndpointConfigurator rabbit)
        {
            rabbit.SetQuorumQueue();

            // RabbitMQ 4 drops a message that came back 20 times, as it does when consumers die. How often one is tried is
            // decided here by the consumer, and what it gives up goes to the error queue. (-1, "no limit", is new in 4.)
            rabbit.SetQueueArgument("x-delivery-limit", int.MaxValue);
        }

        if (_consumers.Find(consumer => string.Equals(consumer.Queue, queue, StringComparison.OrdinalIgnoreCase)) is { } own)
        {
            own.IsKnown = true;
            endpoint.PrefetchCount = own.PrefetchCount ?? endpoint.PrefetchCount;
            endpoint.ConcurrentMessageLimit = own.ConcurrentMessageLimit ?? endpoint.ConcurrentMessageLimit;
        }
    }

    /// <summary>Refuses settings for a queue that this service does not have, once it is known which it has.</summary>
    /// <exception cref="StartException">There is one.</exception>
    public void RefuseUnknown()
    {
        if (_consumers.Find(consumer => !consumer.IsKnown) is { } unknown)
        {
            throw new StartException(
                $"{Settings.EnvironmentName($"{Consumers}:{unknown.Queue}")} is set, but this service receives from no queue of that name.");
        }
    }

    private static Consumer Read(IConfigurationSection section) => new(
        section.Key,
        ReadCount(section, nameof(Consumer.PrefetchCount)),
        ReadCount(section, nameof(Consumer.ConcurrentMessageLimit)));

    private static int? ReadCount(IConfigurationSection section, string name)
    {
        var value = section[name];
        if (string.IsNullOrWhiteSpace(value))
        {
            return null;
        }

        return int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var count) && count is >= 1 and <= MaxCount
            ? count
            : throw new StartException($"{Settings.EnvironmentName($"{section.Path}:{name}")} is '{value}': expected a number from 1 to {MaxCount}.");
    }

    private static bool ReadFlag(IConfiguration configuration, string key)
    {
        var value = configuration[key];
        if (string.IsNullOrWhiteSpace(value))
        {
            return false;
        }

        return bool.TryParse(value, out var flag)
            ? flag
            : throw new StartException($"{Settings.EnvironmentName(key)} is '{value}': expected true or false.");
    }

    private sealed record Consumer(string Queue, int? PrefetchCount, int? ConcurrentMessageLimit)
    {
        public bool IsKnown { get; set; }
    }
}
