using Notifications.Delivering;

namespace Services.Tests;

/// <summary>When what cannot be attempted now comes back.</summary>
public sealed class EndpointLaneTests
{
    private static readonly DateTimeOffset Now = new(2026, 1, 2, 3, 4, 5, TimeSpan.Zero);
    private readonly EndpointLane lane = new(cap: 8, new StoppedClock(Now));

    [Fact]
    public void Each_has_a_place_of_its_own_at_the_endpoints_rate()
    {
        var first = After(lane.Park(null, rate: 4, TimeSpan.Zero));

        After(lane.Park(null, rate: 4, TimeSpan.Zero)).ShouldBe(first + TimeSpan.FromSeconds(0.25));
        After(lane.Park(null, rate: 4, TimeSpan.Zero)).ShouldBe(first + TimeSpan.FromSeconds(0.5));
    }

    [Fact]
    public void Nobody_comes_back_before_the_endpoint_wants_to_be_called() =>
        After(lane.Park(Now.UtcDateTime.AddMinutes(5), rate: null, TimeSpan.Zero)).ShouldBeGreaterThanOrEqualTo(TimeSpan.FromMinutes(5));

    /// <summary>A backlog of hours: what has waited for long comes back after about as long, and not every minute only to be parked again.</summary>
    [Theory]
    [InlineData(0, 1)]
    [InlineData(10, 10)]
    [InlineData(100, 60)]
    public void What_finds_a_long_backlog_waits_about_as_long_as_it_has_waited(int waitedMinutes, int withinMinutes)
    {
        var waited = TimeSpan.FromMinutes(waitedMinutes);
        var places = Enumerable.Range(0, 20_000).Select(_ => After(lane.Park(null, rate: 1, waited))).ToList();

        places.Max().ShouldBeLessThanOrEqualTo(TimeSpan.FromMinutes(withinMinutes + 0.1));
        places.Average(place => place.TotalMinutes).ShouldBeGreaterThan(withinMinutes * 0.45, "spread over the whole of it");
    }

    [Theory]
    [InlineData(10, 20, 20)]        // the next trial comes after 20 s
    [InlineData(300, 20, 150)]
    [InlineData(100_000, 40, 3600)]
    public void An_endpoint_that_is_down_is_asked_after_less_and_less_often(int waited, int trialAfter, int seconds) =>
        After(lane.ParkWhileDown(TimeSpan.FromSeconds(trialAfter), TimeSpan.FromSeconds(waited))).ShouldBe(TimeSpan.FromSeconds(seconds));

    /// <summary>What is parked for hours, because the endpoint asked for it or was down for long, says nothing of what only has to wait for a place.</summary>
    [Fact]
    public void Who_comes_back_in_hours_does_not_push_back_who_comes_back_at_once()
    {
        lane.Park(Now.UtcDateTime.AddHours(2), rate: null, TimeSpan.Zero);
        lane.ParkWhileDown(TimeSpan.FromSeconds(5), waited: TimeSpan.FromHours(1));

        After(lane.Park(null, rate: null, TimeSpan.Zero)).ShouldBe(TimeSpan.FromSeconds(0.2));
        After(lane.ParkWhileDown(TimeSpan.FromSeconds(5), TimeSpan.Zero)).ShouldBe(TimeSpan.FromSeconds(5));
    }

    private static TimeSpan After(DateTime until) => until - Now.UtcDateTime;
}
