using Outbox.Testing;

namespace Outbox.UnitTests.Testing;

public class BookEntriesTests
{
    private static readonly Guid Ada = new("00000000-0000-0000-0000-00000000000a");
    private static readonly Guid Bob = new("00000000-0000-0000-0000-00000000000b");

    private readonly BookEntries _right = new(
        Users: [Ada, Bob],
        Balances: [(Ada, 100), (Bob, 100)],
        Credits: [(Ada, 100), (Bob, 100)],
        Told: [$"welcome:{Ada}", $"welcome:{Bob}"],
        Waiting: 0,
        Dead: 0);

    [Fact]
    public void Everything_once_is_as_promised() => _right.Differences([Ada, Bob]).ShouldBeEmpty();

    [Fact]
    public void What_is_lost_is_named() =>
        (_right with { Told = [$"welcome:{Ada}"] }).Differences([Ada, Bob]).ShouldHaveSingleItem().ShouldContain($"0 times the notification welcome:{Bob}");

    [Fact]
    public void What_is_there_twice_is_named() =>
        (_right with { Credits = [(Ada, 100), (Bob, 100), (Bob, 100)] }).Differences([Ada, Bob]).ShouldHaveSingleItem().ShouldContain("2 times the credit");

    [Fact]
    public void A_wrong_balance_is_named() =>
        (_right with { Balances = [(Ada, 100), (Bob, 200)] }).Differences([Ada, Bob]).Count.ShouldBe(2);   // one there, one missing

    [Fact]
    public void What_nobody_was_promised_is_named() => _right.Differences([Ada]).Count.ShouldBe(4);

    [Fact]
    public void Dead_messages_are_named() => (_right with { Dead = 1 }).Differences([Ada, Bob]).ShouldHaveSingleItem().ShouldContain("dead");
}
