using Notifications;

namespace Services.Tests;

public sealed class DeliveryStatesTests
{
    public static TheoryData<DeliveryChange> Changes => [.. Enum.GetValues<DeliveryChange>()];

    [Theory]
    [MemberData(nameof(Changes))]
    public void Nothing_changes_what_was_acknowledged(DeliveryChange change) =>
        DeliveryStates.From(change).ShouldNotContain(DeliveryState.Acknowledged);

    [Theory]
    [MemberData(nameof(Changes))]
    public void Only_an_attempt_under_way_has_an_outcome(DeliveryChange change)
    {
        var isOutcome = change is DeliveryChange.Deliver or DeliveryChange.Retry or DeliveryChange.Lapse or DeliveryChange.Exhaust;

        DeliveryStates.From(change).SequenceEqual([DeliveryState.Delivering]).ShouldBe(isOutcome);
    }

    [Theory]
    [InlineData(DeliveryState.Held)]
    [InlineData(DeliveryState.Exhausted)]
    [InlineData(DeliveryState.Delivered)]
    public void What_waits_for_nothing_is_not_attempted_by_itself(DeliveryState state)
    {
        var changes = Enum.GetValues<DeliveryChange>().Where(change => DeliveryStates.From(change).Contains(state)).ToList();

        changes.ShouldNotContain(DeliveryChange.Take);
        changes.ShouldContain(DeliveryChange.Acknowledge);
        changes.ShouldContain(DeliveryChange.Resend);
    }

    [Fact]
    public void Every_state_can_be_reached() =>
        Enum.GetValues<DeliveryChange>().Select(DeliveryStates.To).Distinct().Order().ShouldBe(Enum.GetValues<DeliveryState>());
}
