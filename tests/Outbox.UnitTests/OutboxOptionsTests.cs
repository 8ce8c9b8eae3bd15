namespace Outbox.UnitTests;

public sealed class OutboxOptionsTests
{
    [Fact]
    public void The_defaults_are_valid() => new OutboxOptions().Problems().ShouldBeEmpty();

    public static TheoryData<OutboxOptions, string> Wrong => new()
    {
        { new() { QueryDelay = TimeSpan.Zero }, "QueryDelay must be positive; found 00:00:00." },
        { new() { KeepDelivered = TimeSpan.FromSeconds(-1) }, "KeepDelivered must be positive; found -00:00:01." },
        { new() { PartitionCount = 0 }, "PartitionCount must be from 1 to 1024; found 0." },
        { new() { QueryMessageLimit = 10_001 }, "QueryMessageLimit must be from 1 to 10000; found 10001." },
        { new() { LeaseTime = TimeSpan.FromSeconds(5) }, "LeaseTime must be at least three times BeatPeriod; found 00:00:05 and 00:00:03." },
        { new() { MaxRetryDelay = TimeSpan.FromMilliseconds(1) }, "MaxRetryDelay must not be shorter than MinRetryDelay" },
        { new() { RedeliverOnStart = true }, "RedeliverOnStart needs KeepDelivered" },
        { new() { RedeliverOnStart = true, KeepDelivered = TimeSpan.FromDays(2) }, "DuplicateDetectionWindow must be longer than KeepDelivered" },
    };

    [Theory]
    [MemberData(nameof(Wrong))]
    public void A_value_out_of_range_is_named_with_what_was_found(OutboxOptions options, string problem)
        => options.Problems().ShouldHaveSingleItem().ShouldStartWith(problem);
}
