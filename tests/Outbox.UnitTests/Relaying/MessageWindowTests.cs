using Outbox.Relaying;

namespace Outbox.UnitTests.Relaying;

public sealed class MessageWindowTests
{
    private static readonly Outcome Broken = new(OutcomeKind.Interrupted);
    private readonly MessageWindow _window = new(limit: 100, laneLimit: 4);

    [Fact]
    public void Keys_go_side_by_side_and_the_messages_of_a_key_one_after_the_other()
    {
        Add((1, 7), (2, 7), (3, 8));

        Next().ShouldBe([1, 3]);
        Confirm(1);
        Next().ShouldBe([2]);
    }

    [Fact]
    public void No_more_are_on_their_way_than_the_limit()
    {
        var window = new MessageWindow(limit: 2, laneLimit: 10);
        window.Add(Enumerable.Range(1, 5).Select(n => Messages.New(n, key: n)));

        Next(window).ShouldBe([1, 2]);
        window.Finish(Messages.New(1, key: 1), Outcome.Confirmed, holds: false);
        Next(window).ShouldBe([3]);
    }

    [Fact]
    public void A_row_that_committed_late_goes_before_those_of_its_key_that_were_not_sent_yet()
    {
        Add((1, 7), (5, 7), (6, 7));
        Next().ShouldBe([1]);
        Add((3, 7));

        Confirm(1);

        Next().ShouldBe([3]);
    }

    [Fact]
    public void What_is_known_is_not_taken_in_twice_until_its_end_is_written()
    {
        Add((1, 7));
        Next().ShouldBe([1]);
        Confirm(1);
        Add((1, 7));
        Next().ShouldBeEmpty();
        _window.Known().ShouldBe([1]);

        _window.Forget(_window.TakeSettled().Select(s => s.Message));

        _window.Known().ShouldBeEmpty();
    }

    [Fact]
    public void A_held_key_waits_in_the_database_and_no_other_does()
    {
        Add((1, 7), (2, 7), (3, 8));
        Next().ShouldBe([1, 3]);

        Finish(1, 7, new Outcome(OutcomeKind.Refused), holds: true);
        Add((2, 7), (4, 8));
        Confirm(3, key: 8);

        Next().ShouldBe([4]);
        _window.Known().ShouldNotContain(2);

        _window.Forget([Messages.New(1, key: 7)]);
        Add((2, 7));
        Next().ShouldBe([2]);
    }

    [Fact]
    public void A_key_is_held_until_the_row_that_failed_is_written_and_no_other_row_releases_it()
    {
        Add((1, 7), (2, 7), (3, 7));
        Next();
        Confirm(1);
        var confirmed = _window.TakeSettled();
        Next().ShouldBe([2]);
        Finish(2, 7, new Outcome(OutcomeKind.Refused), holds: true);

        _window.Forget(confirmed.Select(s => s.Message));
        Add((3, 7));
        Next().ShouldBeEmpty();

        _window.Forget(_window.TakeSettled().Select(s => s.Message));
        Add((3, 7));
        Next().ShouldBe([3]);
    }

    [Fact]
    public void The_bytes_in_the_window_are_counted_until_a_row_is_written_or_dropped()
    {
        _window.Add([Messages.New(1, key: 1, size: 100), Messages.New(2, key: 2, size: 30)]);
        Next();
        _window.Bytes.ShouldBe(130);

        _window.Finish(Messages.New(1, key: 1, size: 100), Outcome.Confirmed, holds: false);
        _window.Bytes.ShouldBe(130);
        _window.Forget(_window.TakeSettled().Select(s => s.Message));
        _window.Bytes.ShouldBe(30);
    }

    [Fact]
    public void Suspects_of_a_term_that_is_over_are_forgotten()
    {
        Add((1, 1), (2, 2));
        Next();
        Finish(1, 1, Broken);
        Finish(2, 2, Broken);

        _window.Clear();
        Add((1, 1), (2, 2), (3, 3));

        Next().ShouldBe([1, 2, 3]);
    }

    [Fact]
    public void A_key_with_many_messages_leaves_room_for_the_others()
    {
        Add([.. Enumerable.Range(1, 10).Select(n => (n, 7))]);
        _window.Waiting.ShouldBe(4);
        _window.FullKeys().ShouldBe([7]);

        Next();
        Confirm(1);
        Next();
        Confirm(2);

        _window.TakeReopened().ShouldHaveSingleItem().SequenceNumber.ShouldBe(5);
        _window.FullKeys().ShouldBeEmpty();
    }

    [Fact]
    public void Suspects_go_one_at_a_time_and_everybody_else_waits()
    {
        Add((1, 1), (2, 2), (3, 3));
        Next().ShouldBe([1, 2, 3]);
        Finish(1, 1, Broken);
        Finish(2, 2, Broken);
        Confirm(3, key: 3);
        Add((4, 4));

        _window.Next(out var alone)!.SequenceNumber.ShouldBe(1);
        alone.ShouldBeTrue();
        Next().ShouldBeEmpty();
        Confirm(1, key: 1);
        Next().ShouldBe([2]);
        Confirm(2, key: 2);

        Next().ShouldBe([4]);
    }

    [Fact]
    public void One_that_broke_the_channel_alone_never_goes_together_with_others_again()
    {
        Add((1, 1), (2, 2));
        Next();
        Finish(1, 1, new Outcome(OutcomeKind.Refused, BreaksChannel: true), holds: true);
        Confirm(2, key: 2);
        _window.Forget(_window.TakeSettled().Select(s => s.Message));

        Add((3, 3), (1, 1));

        Next().ShouldBe([1]);
        Confirm(1, key: 1);
        Next().ShouldBe([3]);
    }

    [Fact]
    public void What_is_dropped_is_forgotten_and_what_is_on_its_way_stays()
    {
        Add((1, 7), (2, 7), (3, 8));
        Next().ShouldBe([1, 3]);

        _window.DropWaiting(_ => true);

        _window.Waiting.ShouldBe(0);
        _window.Known().ShouldBe([1, 3], ignoreOrder: true);
    }

    private void Add(params (int Number, int Key)[] messages) => _window.Add(messages.Select(m => Messages.New(m.Number, m.Key)));

    private List<long> Next() => Next(_window);

    private static List<long> Next(MessageWindow window)
    {
        var numbers = new List<long>();
        while (window.Next(out _) is { } message)
            numbers.Add(message.SequenceNumber);
        return numbers;
    }

    private void Confirm(long number, long key = 7) => Finish(number, key, Outcome.Confirmed);

    private void Finish(long number, long key, Outcome outcome, bool holds = false) => _window.Finish(Messages.New(number, key), outcome, holds);
}
