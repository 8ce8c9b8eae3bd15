using MassTransit;
using Outbox.Relaying;
using Outbox.Testing;

namespace Outbox.UnitTests.Relaying;

public sealed class TermTests
{
    private static readonly TimeSpan Lease = TimeSpan.FromSeconds(10);
    private readonly ManualTimeProvider _time = new();

    [Fact]
    public void A_send_may_begin_for_seven_tenths_of_the_lease_after_a_beat_was_issued()
    {
        var term = NewTerm();

        _time.Advance(0.69 * Lease);
        term.MayStartSending.ShouldBeTrue();
        _time.Advance(0.02 * Lease);
        term.MayStartSending.ShouldBeFalse();
    }

    [Fact]
    public void The_time_counts_from_before_the_beat_was_written()
    {
        var term = NewTerm();
        var issued = new Beat(_time);
        _time.Advance(0.5 * Lease);                        // so long the statement took
        term.Beaten(issued);

        _time.Advance(0.3 * Lease);

        term.MayStartSending.ShouldBeFalse();
    }

    [Fact]
    public void A_suspended_machine_shows_in_its_calendar()
    {
        var term = NewTerm();

        _time.AdvanceUtcOnly(Lease);

        term.MayStartSending.ShouldBeFalse();
    }

    [Fact]
    public void A_calendar_that_is_set_back_does_not_prolong_the_term()
    {
        var term = NewTerm();

        _time.AdvanceUtcOnly(-Lease);
        _time.AdvanceMonotonicOnly(Lease);

        term.MayStartSending.ShouldBeFalse();
    }

    [Fact]
    public void Once_evicted_no_beat_helps()
    {
        var term = NewTerm();

        term.End();
        term.Beaten(new Beat(_time));

        term.MayStartSending.ShouldBeFalse();
    }

    [Fact]
    public void Where_nobody_else_can_take_over_the_term_has_no_end()
    {
        var term = new Term(NewId.NextGuid(), leaseTime: null, new Beat(_time), _time);

        _time.Advance(1000 * Lease);

        term.MayStartSending.ShouldBeTrue();
    }

    private Term NewTerm() => new(NewId.NextGuid(), Lease, new Beat(_time), _time);
}
