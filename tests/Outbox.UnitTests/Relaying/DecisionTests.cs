using Outbox.Relaying;

namespace Outbox.UnitTests.Relaying;

/// <summary>The small pure decisions: back-off, shares, when to look at everything.</summary>
public sealed class DecisionTests
{
    [Theory]
    [InlineData(1, 1)]
    [InlineData(2, 2)]
    [InlineData(5, 16)]
    [InlineData(9, 256)]
    [InlineData(10, 300)]
    [InlineData(5000, 300)]
    public void The_pause_doubles_up_to_the_longest(int failures, int seconds)
        => BackOff.After(failures, TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(300)).ShouldBe(TimeSpan.FromSeconds(seconds));

    [Fact]
    public void Partitions_share_a_read_evenly_while_none_has_more()
        => Shares.Of(100, [(0, false), (1, false), (2, false), (3, false)], rotation: 0).ShouldAllBe(s => s.Take == 25);

    [Fact]
    public void Those_that_have_more_get_what_the_quiet_ones_leave()
    {
        var shares = Shares.Of(100, [(0, false), (1, true), (2, false), (3, false)], rotation: 0);

        shares.Single(s => s.Partition == 1).Take.ShouldBe(82);
        shares.Where(s => s.Partition != 1).ShouldAllBe(s => s.Take == 6);
    }

    [Theory]
    [InlineData(1, 16)]
    [InlineData(10, 16)]
    [InlineData(1000, 3)]
    public void Every_partition_gets_at_least_one_row(int limit, int partitions)
        => Shares.Of(limit, [.. Enumerable.Range(0, partitions).Select(p => (p, p % 2 == 0))], rotation: 7).ShouldAllBe(s => s.Take >= 1);

    [Fact]
    public void Each_partition_comes_first_some_time()
        => Enumerable.Range(0, 4).Select(r => Shares.Of(100, [(0, true), (1, true), (2, true), (3, true)], r)[0].Partition).ShouldBe([0, 1, 2, 3]);

    [Fact]
    public void What_is_dear_to_look_at_is_looked_at_every_few_seconds_and_more_rarely_where_that_takes_long()
    {
        var look = new DearLook(TimeSpan.FromSeconds(5), TimeSpan.FromSeconds(30));
        look.IsDue(TimeSpan.Zero, rarity: 20).ShouldBeTrue();

        look.Took(from: TimeSpan.Zero, to: TimeSpan.FromMilliseconds(5));
        look.IsDue(TimeSpan.FromSeconds(5), rarity: 20).ShouldBeFalse();
        look.IsDue(TimeSpan.FromSeconds(5.005), rarity: 20).ShouldBeTrue();

        look.Took(from: TimeSpan.Zero, to: TimeSpan.FromSeconds(1));
        look.IsDue(TimeSpan.FromSeconds(20), rarity: 20).ShouldBeFalse();
        look.IsDue(TimeSpan.FromSeconds(21), rarity: 20).ShouldBeTrue();
        look.IsDue(TimeSpan.FromSeconds(5.9), rarity: 4).ShouldBeFalse();
        look.IsDue(TimeSpan.FromSeconds(6), rarity: 4).ShouldBeTrue();

        // The process may have been paused meanwhile.
        look.Took(from: TimeSpan.Zero, to: TimeSpan.FromMinutes(1));
        look.IsDue(TimeSpan.FromSeconds(90), rarity: 20).ShouldBeTrue();
    }

    [Fact]
    public void The_loop_rests_while_there_is_no_room_whatever_is_due()
    {
        var second = TimeSpan.FromSeconds(1);

        Relay.Pause(hasRoom: false, hasMore: true, hasSettled: false, untilPoll: -second, untilDue: -second, queryDelay: second).ShouldBe(second);
        Relay.Pause(hasRoom: false, hasMore: true, hasSettled: true, untilPoll: -second, untilDue: -second, queryDelay: second).ShouldBeInRange(TimeSpan.FromTicks(1), second);
        Relay.Pause(hasRoom: true, hasMore: true, hasSettled: false, untilPoll: second, untilDue: null, queryDelay: second).ShouldBe(TimeSpan.Zero);
        Relay.Pause(hasRoom: true, hasMore: false, hasSettled: false, untilPoll: second, untilDue: second / 2, queryDelay: second).ShouldBe(second / 2);
        Relay.Pause(hasRoom: true, hasMore: false, hasSettled: false, untilPoll: second, untilDue: -second, queryDelay: second).ShouldBeInRange(TimeSpan.FromTicks(1), second / 2);
    }

    [Fact]
    public void The_text_of_an_error_is_one_that_every_database_takes()
    {
        var text = ErrorText.Of(new InvalidOperationException("a\0b\ud83d" + new string('x', 2016) + "\ud83d\ude00\ud83d\ude00"));

        text.ShouldStartWith("InvalidOperationException: a\ufffdb\ufffdx");
        text.Length.ShouldBeLessThanOrEqualTo(2048);
        Should.NotThrow(() => new System.Text.UTF8Encoding(false, throwOnInvalidBytes: true).GetBytes(text));
        ErrorText.Of(null).ShouldBe("");
    }

    [Fact]
    public void A_message_type_is_found_by_its_urn()
    {
        MessageTypes.Find("urn:message:Outbox.UnitTests.Relaying:DecisionTests+Nested").ShouldBe(typeof(Nested));
        MessageTypes.Find("urn:somebody:else").ShouldBe(typeof(Named));
        MessageTypes.Find("urn:message:No:Such").ShouldBeNull();
    }

    [Theory]
    [InlineData(typeof(Changed<Nested>))]
    [InlineData(typeof(Changed<int>))]
    [InlineData(typeof(Pair<Changed<Nested>, string>))]
    [InlineData(typeof(Pair<Pair<string, Nested>, Changed<Changed<int>>>))]
    [InlineData(typeof(Top<Nested>))]
    public void A_closed_generic_message_type_is_found_by_its_urn(Type type)
        => MessageTypes.Find(MassTransit.MessageUrn.ForTypeString(type)).ShouldBe(type);

    [Theory]
    [InlineData("urn:message:No:Such[[System:Int32]]")]
    [InlineData("urn:message:Outbox.UnitTests.Relaying:DecisionTests+Changed[[No:Such]]")]
    [InlineData("urn:message:Outbox.UnitTests.Relaying:DecisionTests+Changed[[System:Int32],[System:Int32]]")]
    [InlineData("urn:message:Outbox.UnitTests.Relaying:DecisionTests+Limited[[System:Int32]]")]
    [InlineData("urn:message:Outbox.UnitTests.Relaying:DecisionTests+Changed[")]
    [InlineData("urn:message:Outbox.UnitTests.Relaying:DecisionTests+Changed[[")]
    [InlineData("urn:message:Outbox.UnitTests.Relaying:DecisionTests+Changed[]")]
    [InlineData("urn:message:Outbox.UnitTests.Relaying:DecisionTests+Changed[[]]")]
    [InlineData("urn:message:Outbox.UnitTests.Relaying:DecisionTests+Changed]]")]
    [InlineData("urn:message:[[System:Int32]]")]
    public void A_urn_of_no_closed_generic_type_is_found_to_be_none(string urn) => MessageTypes.Find(urn).ShouldBeNull();

    public sealed record Changed<T>(T Value);

    public sealed record Limited<T>(T Value)
        where T : class;

    public sealed record Pair<TFirst, TSecond>(TFirst First, TSecond Second);

    public sealed record Nested;

    [MassTransit.MessageUrn("urn:somebody:else", useDefaultPrefix: false)]
    public sealed record Named;
}

public sealed record Top<T>(T Value);
