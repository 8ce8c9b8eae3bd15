using Outbox.Relaying;
using RabbitMQ.Client;

namespace Outbox.UnitTests.Relaying;

public class ConfirmationsTests
{
    private readonly Confirmations _confirmations = new();
    private readonly List<Publishing> _answered = [];

    [Fact]
    public void An_answer_is_for_its_number_alone()
    {
        var published = Publish("a", "b", "c");

        _confirmations.Answered(2, multiple: false, null, _answered);

        _answered.ShouldBe([published[1]]);
    }

    [Fact]
    public void An_answer_for_several_is_for_all_up_to_its_number_that_are_open()
    {
        var published = Publish("a", "b", "c", "d", "e");
        _confirmations.Answered(2, multiple: false, null, _answered);
        _confirmations.Answered(4, multiple: false, null, _answered);
        _answered.Clear();

        _confirmations.Answered(4, multiple: true, null, _answered);
        _answered.ShouldBe([published[0], published[2]]);

        _confirmations.Answered(5, multiple: true, null, _answered);
        _answered.ShouldBe([published[0], published[2], published[4]]);
    }

    [Fact]
    public void A_refusal_is_the_fault_of_those_that_it_speaks_of()
    {
        var published = Publish("a", "b", "c");
        var refusal = new InvalidOperationException();

        _confirmations.Answered(2, multiple: true, refusal, _answered);
        _confirmations.Answered(3, multiple: false, null, _answered);

        published.Select(p => p.Fault).ShouldBe([refusal, refusal, null]);
        _answered.Count.ShouldBe(3);
    }

    [Fact]
    public void What_is_returned_is_not_confirmed_by_the_answer_that_follows()
    {
        var published = Publish("a", "b", "c");
        var returned = new InvalidOperationException();

        _confirmations.Returned("b", "exchange", "", returned, _answered);
        _confirmations.Answered(3, multiple: true, null, _answered);

        _answered.ShouldBe([published[1], published[0], published[2]]);
        published.Select(p => p.Fault).ShouldBe([null, returned, null]);
    }

    // The older one was never answered: it has been given up, and this is the next attempt at it.
    [Fact]
    public void Of_messages_with_the_same_id_the_youngest_is_returned_first_and_only_where_it_was_sent()
    {
        var alike = Publish("a", "a");
        var elsewhere = PublishTo("other", "a");
        var last = PublishTo("exchange", "a");

        foreach (var _ in Enumerable.Range(0, 3))
            _confirmations.Returned("a", "exchange", "", new InvalidOperationException(), _answered);

        _answered.ShouldBe([last, alike[1], alike[0]]);
        elsewhere.Fault.ShouldBeNull();
    }

    [Fact]
    public void Only_what_must_be_routed_is_returned()
    {
        var published = PublishTo("exchange", "a", mandatory: false);

        _confirmations.Returned("a", "exchange", "", new InvalidOperationException(), _answered);
        _confirmations.Answered(1, multiple: false, null, _answered);

        _answered.ShouldBe([published]);
        published.Fault.ShouldBeNull();
    }

    [Fact]
    public void What_is_taken_back_leaves_its_number_to_the_next()
    {
        var first = Publish("a");
        Publish("b");

        _confirmations.TakeBack();
        var third = Publish("c");
        _confirmations.Answered(2, multiple: true, null, _answered);

        _answered.ShouldBe([.. first, .. third]);
    }

    [Fact]
    public void An_answer_or_a_return_that_nobody_waits_for_is_nobodys()
    {
        Publish("a");

        _confirmations.Answered(7, multiple: false, null, _answered);
        _confirmations.Returned("b", "exchange", "", new InvalidOperationException(), _answered);

        _answered.ShouldBeEmpty();
    }

    [Fact]
    public void The_end_is_the_end_of_all_that_are_open_in_their_order()
    {
        var published = Publish("a", "b", "c");
        _confirmations.Answered(2, multiple: false, null, _answered);
        _answered.Clear();
        var end = new InvalidOperationException();

        _confirmations.End(end, _answered);

        _answered.ShouldBe([published[0], published[2]]);
        _answered.ShouldAllBe(p => p.Fault == end);
    }

    private Publishing[] Publish(params string[] ids) => [.. ids.Select(id => PublishTo("exchange", id))];

    private Publishing PublishTo(string exchange, string id, bool mandatory = true)
    {
        var publishing = new Publishing(exchange, "", mandatory, new BasicProperties { MessageId = id }, []);
        _confirmations.Add(publishing);
        return publishing;
    }
}
