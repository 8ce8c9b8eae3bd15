using Outbox.Relaying;

namespace Outbox.UnitTests.Relaying;

public sealed class FailurePolicyTests
{
    private static readonly DateTime Now = new(2026, 1, 1, 0, 0, 0, DateTimeKind.Utc);
    private readonly OutboxOptions _options = new();

    [Fact]
    public void A_refusal_counts_and_holds_the_key_until_the_next_attempt()
    {
        var failure = Of(OutcomeKind.Refused, attempts: 2);

        failure.State.ShouldBe(OutboxMessageState.Pending);
        failure.Attempts.ShouldBe(3);
        failure.SeenAttempts.ShouldBe(2);
        failure.DueAt.ShouldBe(Now.AddSeconds(4));
        failure.Holds.ShouldBeTrue();
        failure.Error.ShouldContain("No.");
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void The_last_attempt_leaves_it_dead_and_the_option_says_whether_its_key_waits(bool holds)
    {
        _options.HoldKeyWhenDead = holds;

        var failure = Of(OutcomeKind.Refused, attempts: 9);

        failure.State.ShouldBe(OutboxMessageState.Dead);
        failure.ClosedAt.ShouldBe(Now);
        failure.DueAt.ShouldBeNull();
        failure.Holds.ShouldBe(holds);
    }

    [Fact]
    public void A_return_has_a_schedule_of_its_own_and_no_end()
    {
        var failure = Of(OutcomeKind.Unrouted, attempts: 9, returns: 10_000);

        failure.State.ShouldBe(OutboxMessageState.Pending);
        failure.Attempts.ShouldBe(9);
        failure.Returns.ShouldBe(10_001);
        failure.DueAt.ShouldBe(Now + _options.MaxUnroutedDelay);
        failure.Holds.ShouldBeFalse();
    }

    [Fact]
    public void A_return_holds_its_key_and_ends_where_that_is_asked_for()
    {
        _options.HoldKeyWhileUnrouted = true;
        _options.MaxUnroutedAttempts = 3;

        Of(OutcomeKind.Unrouted, returns: 1).Holds.ShouldBeTrue();
        Of(OutcomeKind.Unrouted, returns: 2).State.ShouldBe(OutboxMessageState.Dead);
    }

    [Fact]
    public void No_answer_counts_for_nobody()
    {
        var failure = Of(OutcomeKind.Unanswered, attempts: 9);

        failure.State.ShouldBe(OutboxMessageState.Pending);
        failure.Attempts.ShouldBe(9);
        failure.Holds.ShouldBeTrue();
    }

    private Outbox.Databases.Failure Of(OutcomeKind kind, int attempts = 0, int returns = 0)
        => new FailurePolicy(_options).Of(Messages.New(1, attempts: attempts, returns: returns), new Outcome(kind, new InvalidOperationException("No.")), Now);
}
