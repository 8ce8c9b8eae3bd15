using Notifications.Delivering;
using Outbox.Testing;

namespace Services.Tests;

/// <summary>How many places an endpoint gets beside the others.</summary>
public sealed class EndpointLanesTests
{
    private const int Places = 64;
    private readonly ManualTimeProvider time = new();
    private readonly EndpointLanes lanes;

    public EndpointLanesTests() => lanes = new EndpointLanes(new DeliverySettings { InFlight = Places, InFlightPerEndpoint = 8 }, time);

    [Fact]
    public void However_many_begin_to_hang_at_once_another_finds_a_place()
    {
        Fill(New(Places / 4));

        lanes.TryEnter(lanes.Of(Guid.CreateVersion7())).ShouldBeTrue();
    }

    /// <summary>They are as many as there are places, and each was quick until now: for a second nobody can know.</summary>
    [Fact]
    public async Task Those_that_took_all_places_and_hang_leave_a_quarter_of_them_when_they_have_for_a_second()
    {
        var hanging = New(2 * Places);
        (await Call(hanging)).Count.ShouldBe(Places);
        var alive = New(1);
        Fill(alive).ShouldBe(0);

        time.Advance(TimeSpan.FromSeconds(1.1));

        lanes.TryEnter(hanging[0]).ShouldBeFalse("it is known to hang");
        Fill(alive).ShouldBe(1);
        Fill(New(Places)).ShouldBe((Places / 4) - 1, "the last quarter is for calls that do not hang");
    }

    [Fact]
    public async Task However_many_hang_there_are_no_more_than_twice_the_places()
    {
        for (var i = 0; i < 20; i++)
        {
            await Call(New(Places));
            time.Advance(TimeSpan.FromSeconds(1.1));
        }

        lanes.InFlight.ShouldBe(2 * Places);
    }

    [Fact]
    public async Task A_call_that_hung_and_ended_keeps_no_place_from_others()
    {
        var calls = await Call(New(2 * Places));
        time.Advance(TimeSpan.FromSeconds(1.1));
        lanes.TryEnter(calls[0].Lane).ShouldBeFalse();

        foreach (var call in calls)
        {
            call.Dispose();
            call.Lane.IsSlow.ShouldBeFalse("how long it took says who leaves");
            lanes.Leave(call.Lane, TimeSpan.FromSeconds(1.1));
        }

        calls.ShouldAllBe(call => call.Lane.IsSlow);
        Fill(New(Places)).ShouldBe(Places);
    }

    [Fact]
    public void However_many_are_known_to_hang_half_of_the_places_is_for_the_others()
    {
        var slow = New(10 * Places);
        foreach (var lane in slow)
        {
            lanes.TryEnter(lane).ShouldBeTrue();
            lanes.Leave(lane, TimeSpan.FromSeconds(15));
        }

        Fill(slow).ShouldBe(Places / 2);

        Fill(New(1)).ShouldBe(Places / 4);
    }

    [Fact]
    public void A_slow_one_alone_has_all_its_places_and_two_beside_others()
    {
        var slow = New(2);
        foreach (var lane in slow)
        {
            lanes.TryEnter(lane);
            lanes.Leave(lane, TimeSpan.FromSeconds(2));
        }

        Fill(slow[..1]).ShouldBe(8);
        Fill(New(1)).ShouldBe(16, "twice its calls: half of them are being taken");
        Fill(slow[1..]).ShouldBe(2);
    }

    [Fact]
    public void One_that_answers_in_time_again_has_its_places_again()
    {
        var lane = lanes.Of(Guid.CreateVersion7());
        lanes.TryEnter(lane);
        lanes.Leave(lane, TimeSpan.FromSeconds(15));
        lane.IsSlow.ShouldBeTrue();

        lanes.TryEnter(lane);
        lanes.Leave(lane, took: null);   // not called: that says nothing
        lane.IsSlow.ShouldBeTrue();

        lanes.TryEnter(lane);
        lanes.Leave(lane, TimeSpan.FromMilliseconds(20));
        lane.IsSlow.ShouldBeFalse();
    }

    [Fact]
    public void There_are_no_more_than_there_are() => Fill(New(Places * 2)).ShouldBe(Places);

    [Fact]
    public void What_is_not_used_is_forgotten_and_what_somebody_is_about_to_use_is_not()
    {
        var (unused, about) = (Guid.CreateVersion7(), Guid.CreateVersion7());
        var (forgotten, kept) = (lanes.Of(unused), lanes.Of(about));
        time.Advance(TimeSpan.FromMinutes(11));
        lanes.Of(about).ShouldBe(kept);

        lanes.Tidy();

        lanes.Of(about).ShouldBe(kept);
        lanes.Of(unused).ShouldNotBe(forgotten);
    }

    [Fact]
    public void What_was_forgotten_is_not_used_any_more()
    {
        var lane = lanes.Of(Guid.CreateVersion7());
        time.Advance(TimeSpan.FromMinutes(11));
        lanes.Tidy();

        lane.Touch().ShouldBeFalse();
    }

    [Fact]
    public void What_is_under_way_is_not_forgotten()
    {
        var id = Guid.CreateVersion7();
        var lane = lanes.Of(id);
        lanes.TryEnter(lane);
        time.Advance(TimeSpan.FromMinutes(11));
        lanes.Tidy();

        lanes.Of(id).ShouldBe(lane);
    }

    private EndpointLane[] New(int count) => [.. Enumerable.Range(0, count).Select(_ => lanes.Of(Guid.CreateVersion7()))];

    /// <summary>Those that find a place call, and hang.</summary>
    private async Task<List<EndpointLanes.Call>> Call(EndpointLane[] hanging)
    {
        var calls = new List<EndpointLanes.Call>();
        foreach (var lane in hanging.Where(lanes.TryEnter))
        {
            calls.Add((await lanes.BeginCall(lane, TimeSpan.Zero, CancellationToken.None)).ShouldNotBeNull());
        }

        return calls;
    }

    /// <summary>Each has one more call after the other, until none gets another.</summary>
    private int Fill(EndpointLane[] hanging)
    {
        var before = lanes.InFlight;
        int entered;
        do
        {
            entered = hanging.Count(lanes.TryEnter);
        }
        while (entered > 0);

        return lanes.InFlight - before;
    }
}
