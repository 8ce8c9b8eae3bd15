using Outbox.Testing;

namespace Outbox.UnitTests.Testing;

public class SignalLogTests
{
    private static readonly TimeSpan Short = TimeSpan.FromMilliseconds(20);

    [Fact]
    public async Task Waiting_ends_with_a_value_that_was_there_before()
    {
        var log = new SignalLog<int>();
        log.Add(1);
        log.Add(2);

        (await log.WaitFor(value => value > 1)).ShouldBe(2);
        (await log.WaitForCount(2)).ShouldBe([1, 2]);
    }

    [Fact]
    public async Task Waiting_ends_with_a_value_that_comes_later()
    {
        var log = new SignalLog<int>();
        var fits = log.WaitFor(value => value == 3);
        var count = log.WaitForCount(2);

        log.Add(1);
        count.IsCompleted.ShouldBeFalse();
        log.Add(3);

        (await fits).ShouldBe(3);
        (await count).ShouldBe([1, 3]);
    }

    [Fact]
    public async Task Waiting_in_vain_says_what_came_instead()
    {
        var log = new SignalLog<string>();
        log.Add("something else");

        var failure = await Should.ThrowAsync<TimeoutException>(() => log.WaitFor(value => value == "it", Short));

        failure.Message.ShouldContain("something else");
    }

    [Fact]
    public async Task A_predicate_that_throws_fails_the_wait_and_not_the_code_that_adds()
    {
        var log = new SignalLog<int>();
        var waiting = log.WaitFor(value => 1 / value > 0);

        log.Add(0);

        await Should.ThrowAsync<DivideByZeroException>(waiting);
    }

    [Fact]
    public void A_full_log_forgets_the_oldest_and_goes_on_counting()
    {
        var log = new SignalLog<int>(capacity: 2);

        log.Add(1);
        log.Add(2);
        log.Add(3);

        log.Values.ShouldBe([2, 3]);
        log.Count.ShouldBe(3);
    }
}
