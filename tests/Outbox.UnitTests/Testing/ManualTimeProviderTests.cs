using Outbox.Testing;

namespace Outbox.UnitTests.Testing;

public class ManualTimeProviderTests
{
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);

    private readonly ManualTimeProvider _clock = new();

    [Fact]
    public void Both_clocks_stand_still_until_moved_together()
    {
        var (utc, timestamp) = (_clock.GetUtcNow(), _clock.GetTimestamp());

        _clock.Advance(Second);

        (_clock.GetUtcNow() - utc).ShouldBe(Second);
        _clock.GetElapsedTime(timestamp).ShouldBe(Second);
    }

    [Fact]
    public void The_date_moves_alone_and_fires_nothing()
    {
        var (utc, timestamp) = (_clock.GetUtcNow(), _clock.GetTimestamp());
        var delay = Task.Delay(Second, _clock);

        _clock.AdvanceUtcOnly(-10 * Second);

        (_clock.GetUtcNow() - utc).ShouldBe(-10 * Second);
        _clock.GetElapsedTime(timestamp).ShouldBe(TimeSpan.Zero);
        delay.IsCompleted.ShouldBeFalse();
    }

    [Fact]
    public async Task The_monotonic_clock_moves_alone_and_fires_what_is_due()
    {
        var utc = _clock.GetUtcNow();
        var delay = Task.Delay(Second, _clock);

        _clock.AdvanceMonotonicOnly(Second);

        _clock.GetUtcNow().ShouldBe(utc);
        await delay;
    }

    [Fact]
    public void A_delay_ends_at_its_time_and_not_before()
    {
        var delay = Task.Delay(Second, _clock);

        _clock.Advance(Second - TimeSpan.FromTicks(1));
        delay.IsCompleted.ShouldBeFalse();

        _clock.Advance(TimeSpan.FromTicks(1));
        delay.IsCompletedSuccessfully.ShouldBeTrue();
    }

    [Fact]
    public async Task A_delay_can_be_cancelled_and_then_is_pending_no_more()
    {
        using var cancel = new CancellationTokenSource();
        var delay = Task.Delay(Second, _clock, cancel.Token);

        await cancel.CancelAsync();

        await Should.ThrowAsync<TaskCanceledException>(delay);
        _clock.PendingTimers.ShouldBe(0);
    }

    [Fact]
    public async Task A_delay_of_nothing_needs_no_moving()
    {
        using var cancel = new CancellationTokenSource(TimeSpan.Zero, _clock);

        await Eventually.Is(() => cancel.IsCancellationRequested);
    }

    [Fact]
    public void Timers_fire_in_the_order_of_their_times_and_see_them()
    {
        var start = _clock.GetUtcNow();
        var fired = new List<(string Name, TimeSpan At)>();
        using var late = Timer("late", 3 * Second);
        using var early = Timer("early", Second);
        using var twin = Timer("twin", Second);

        _clock.Advance(5 * Second);

        fired.ShouldBe([("early", Second), ("twin", Second), ("late", 3 * Second)]);

        ITimer Timer(string name, TimeSpan dueTime) =>
            _clock.CreateTimer(_ => fired.Add((name, _clock.GetUtcNow() - start)), state: null, dueTime, Timeout.InfiniteTimeSpan);
    }

    [Fact]
    public void A_timer_made_while_moving_fires_on_the_same_way()
    {
        var fired = new List<string>();
        using var first = _clock.CreateTimer(
            _ =>
            {
                fired.Add("first");
                _clock.CreateTimer(_ => fired.Add("second"), state: null, Second, Timeout.InfiniteTimeSpan);
            },
            state: null, Second, Timeout.InfiniteTimeSpan);

        _clock.Advance(2 * Second);

        fired.ShouldBe(["first", "second"]);
    }

    [Fact]
    public void A_repeating_timer_fires_each_period_until_it_is_disposed()
    {
        var fired = 0;
        var timer = _clock.CreateTimer(_ => fired++, state: null, Second, 2 * Second);

        _clock.Advance(5 * Second);
        fired.ShouldBe(3);

        timer.Dispose();
        _clock.Advance(5 * Second);
        fired.ShouldBe(3);
        timer.Change(Second, Second).ShouldBeFalse();
    }

    [Fact]
    public async Task A_periodic_timer_ticks()
    {
        using var timer = new PeriodicTimer(Second, _clock);
        var tick = timer.WaitForNextTickAsync();
        tick.IsCompleted.ShouldBeFalse();

        _clock.Advance(Second);

        (await tick).ShouldBeTrue();
    }

    [Fact]
    public async Task A_test_waits_until_the_code_under_test_sleeps_and_then_moves_to_its_timer()
    {
        var start = _clock.GetTimestamp();
        var sleeper = Task.Run(async () =>
        {
            await Task.Delay(3 * Second, _clock);
            await Task.Delay(4 * Second, _clock);
            return _clock.GetElapsedTime(start);
        });

        await _clock.AdvanceToNextTimerAsync();
        await _clock.AdvanceToNextTimerAsync();

        (await sleeper).ShouldBe(7 * Second);
    }

    [Fact]
    public async Task Many_threads_may_wait_while_it_moves()
    {
        var sleepers = Enumerable.Range(1, 200)
            .Select(i => Task.Run(() => Task.Delay(TimeSpan.FromMilliseconds(i), _clock)))
            .ToArray();
        await _clock.WaitForTimersAsync(200);

        await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => Task.Run(() => _clock.Advance(TimeSpan.FromMilliseconds(10)))));

        await Task.WhenAll(sleepers);
        _clock.PendingTimers.ShouldBe(0);
    }
}
