using MassTransit;
using Outbox.Relaying;

namespace Outbox.UnitTests.Relaying;

public sealed class BeatWatchTests
{
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);
    private readonly BeatWatch _watch = new(10 * Second, 6 * Second);
    private readonly Guid _other = NewId.NextGuid();

    [Fact]
    public void A_replica_whose_beat_stands_still_for_the_lease_time_is_silent()
    {
        Look(0, beat: 5).ShouldBeEmpty();
        Look(3, beat: 5).ShouldBeEmpty();
        Look(6, beat: 5).ShouldBeEmpty();
        Look(9, beat: 5).ShouldBeEmpty();
        Look(12, beat: 5).ShouldBe([(_other, 5L)]);
    }

    [Fact]
    public void The_next_look_is_due_when_a_silent_one_will_have_been_so_for_too_long()
    {
        Look(0, beat: 5);
        _watch.UntilNext.ShouldBeNull();
        Look(3, beat: 5);
        _watch.UntilNext.ShouldBe(7 * Second);
        Look(9, beat: 5);
        _watch.UntilNext.ShouldBe(1 * Second);
        Look(10, beat: 5).ShouldNotBeEmpty();
        _watch.UntilNext.ShouldBeNull();
    }

    [Fact]
    public void A_beat_starts_the_time_anew()
    {
        Look(0, beat: 5);
        Look(6, beat: 5);
        Look(9, beat: 6);
        Look(15, beat: 6).ShouldBeEmpty();
        Look(19, beat: 6).ShouldNotBeEmpty();
    }

    [Fact]
    public void Time_in_which_the_watcher_could_not_look_counts_for_nobody()
    {
        Look(0, beat: 5);
        Look(6, beat: 5);
        _watch.Missed();
        Look(60, beat: 5).ShouldBeEmpty();
        Look(64, beat: 5).ShouldNotBeEmpty();
    }

    [Fact]
    public void A_watcher_that_was_paused_counts_one_gap_and_no_more()
    {
        Look(0, beat: 5);
        Look(60, beat: 5).ShouldBeEmpty();
        Look(64, beat: 5).ShouldNotBeEmpty();
    }

    [Fact]
    public void A_new_replica_has_the_whole_lease_time()
    {
        _watch.Observe(new Dictionary<Guid, long>(), TimeSpan.Zero);
        Look(100, beat: 0).ShouldBeEmpty();
        Look(106, beat: 0).ShouldBeEmpty();
    }

    private IReadOnlyList<(Guid Id, long Beat)> Look(int second, long beat)
        => _watch.Observe(new Dictionary<Guid, long> { [_other] = beat }, second * Second);
}
