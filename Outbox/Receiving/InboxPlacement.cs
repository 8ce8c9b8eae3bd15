using MassTransit;

namespace Outbox.Receiving;

/// <summary>
/// Walks through the pipes of a bus in their order and finds what must not run inside an inbox's transaction: a retry, which
/// would go on in a transaction that is aborted, and a second inbox, which would take its own message for a duplicate.
/// </summary>
internal sealed class InboxPlacement : IBusObserver
{
    public const string Inbox = "inbox";

    // The filter that runs the consumer ends its pipe; the next one of the same message follows in the probe.
    private static readonly string[] Ends = ["handler", "saga", "executeActivity", "compensateActivity"];

    /// <exception cref="ConfigurationException">A consumer's pipe is not in order.</exception>
    public void PostCreate(IBus bus)
    {
        var probe = new Probed("bus");
        bus.Probe(probe);
        Check(probe);
    }

    public void CreateFaulted(Exception exception)
    {
    }

    public Task PreStart(IBus bus) => Task.CompletedTask;

    public Task PostStart(IBus bus, Task<BusReady> busReady) => Task.CompletedTask;

    public Task StartFaulted(IBus bus, Exception exception) => Task.CompletedTask;

    public Task PreStop(IBus bus) => Task.CompletedTask;

    public Task PostStop(IBus bus) => Task.CompletedTask;

    public Task StopFaulted(IBus bus, Exception exception) => Task.CompletedTask;

    private static void Check(Probed pipe)
    {
        Probed? inbox = null;
        foreach (var part in pipe.Children)
        {
            if (part.FilterType == Inbox)
            {
                if (inbox is not null)
                {
                    throw new ConfigurationException(
                        $"One inbox is needed for {inbox["consumer"]}; found those of {inbox["dbContext"]} and {part["dbContext"]}. "
                        + "Call UseEntityFrameworkOutbox once for the endpoint.");
                }

                inbox = part;
                continue;
            }

            if (inbox is not null && part.Contains("retry"))
            {
                throw new ConfigurationException(
                    $"A retry or redelivery of {inbox["consumer"]} must run around the inbox's transaction; found one inside it, where it would go on "
                    + "in a transaction that has failed. Call UseMessageRetry or UseDelayedRedelivery on the endpoint instead of the consumer, saga or "
                    + "handler; for a routing slip's activity call UseRetry on its RoutingSlip pipe.");
            }

            if (part.Key == "consumer" || Ends.Contains(part.FilterType))
                inbox = null;
            Check(part);
        }
    }

    /// <summary>What a pipe tells about itself, in the order in which it tells it.</summary>
    private sealed class Probed(string key) : ProbeContext
    {
        private readonly Dictionary<string, object?> _values = [];

        public string Key => key;

        public List<Probed> Children { get; } = [];

        public string? FilterType => this["filterType"];

        public CancellationToken CancellationToken => CancellationToken.None;

        public string? this[string name] => _values.GetValueOrDefault(name)?.ToString();

        public bool Contains(string filterType) => FilterType == filterType || Children.Exists(c => c.Contains(filterType));

        public void Add(string key, string value) => _values[key] = value;

        public void Add(string key, object value) => _values[key] = value;

        public void Set(object values)
        {
        }

        public void Set(IEnumerable<KeyValuePair<string, object>> values)
        {
        }

        public ProbeContext CreateScope(string key)
        {
            var child = new Probed(key);
            Children.Add(child);
            return child;
        }
    }
}
