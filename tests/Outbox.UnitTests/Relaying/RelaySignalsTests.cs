using Outbox.Relaying;
using Outbox.Testing;

namespace Outbox.UnitTests.Relaying;

public sealed class RelaySignalsTests
{
    private readonly ManualTimeProvider _clock = new();
    private readonly WakeUp _committed = new();
    private readonly WakeUp _answered = new();
    private readonly WakeUp _changed = new();

    [Fact]
    public async Task A_wait_of_less_than_a_millisecond_is_a_wait()
    {
        var waiting = Signals().Wait(TimeSpan.FromMicroseconds(300), CancellationToken.None);
        waiting.IsCompleted.ShouldBeFalse();

        _clock.Advance(TimeSpan.FromMilliseconds(1));

        (await waiting).ShouldBeFalse();
    }

    [Fact]
    public async Task The_time_is_over_when_the_wait_is()
    {
        var started = _clock.GetTimestamp();
        var atMost = TimeSpan.FromMilliseconds(900.7);
        var waiting = Signals().Wait(atMost, CancellationToken.None);

        await _clock.AdvanceToNextTimerAsync();

        await waiting;
        _clock.GetElapsedTime(started).ShouldBeGreaterThanOrEqualTo(atMost);
    }

    private RelaySignals Signals() => new(_committed, _answered, _changed, _clock);
}
