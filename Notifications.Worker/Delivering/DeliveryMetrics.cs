using System.Diagnostics.Metrics;

namespace Notifications.Delivering;

/// <summary>
/// Counts on the meter <c>Notifications</c>: <c>notifications.attempts</c> by outcome, <c>notifications.attempt.duration</c> in
/// seconds, <c>notifications.parked</c> by reason, <c>notifications.swept</c> by kind and <c>notifications.in_flight</c>.
/// </summary>
internal sealed class DeliveryMetrics
{
    private readonly Counter<long> attempts;
    private readonly Histogram<double> duration;
    private readonly Counter<long> parked;
    private readonly Counter<long> swept;

    public DeliveryMetrics(IMeterFactory meters, EndpointLanes lanes)
    {
        var meter = meters.Create("Notifications");
        attempts = meter.CreateCounter<long>("notifications.attempts");
        duration = meter.CreateHistogram<double>("notifications.attempt.duration", "s");
        parked = meter.CreateCounter<long>("notifications.parked");
        swept = meter.CreateCounter<long>("notifications.swept");
        meter.CreateObservableGauge("notifications.in_flight", () => lanes.InFlight);
    }

    /// <summary>An attempt was made; <paramref name="counted"/> when its result was not too late.</summary>
    public void Made(Exchange exchange, bool counted)
    {
        var outcome = exchange.Verdict.Outcome.ToString();
        attempts.Add(1, new("outcome", outcome), new("called", exchange.WasCalled), new("counted", counted));
        if (exchange.WasCalled)
        {
            duration.Record(exchange.Took.TotalSeconds, new KeyValuePair<string, object?>("outcome", outcome));
        }
    }

    /// <summary>An attempt could not begin.</summary>
    public void Parked(string reason) => parked.Add(1, new KeyValuePair<string, object?>("reason", reason));

    /// <summary>The sweeper found something.</summary>
    public void Swept(string kind, int count) => swept.Add(count, new KeyValuePair<string, object?>("kind", kind));
}
