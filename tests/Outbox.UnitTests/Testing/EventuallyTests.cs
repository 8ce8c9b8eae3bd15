using Outbox.Testing;

namespace Outbox.UnitTests.Testing;

public class EventuallyTests
{
    private static readonly TimeSpan Short = TimeSpan.FromMilliseconds(50);

    [Fact]
    public async Task It_asks_until_the_value_is_as_wanted()
    {
        var asked = 0;

        (await Eventually.Get(() => ++asked, until: value => value == 3)).ShouldBe(3);
    }

    [Fact]
    public async Task An_exception_is_one_more_reason_to_ask_again()
    {
        var asked = 0;

        await Eventually.Holds(() => (++asked).ShouldBe(3));

        asked.ShouldBe(3);
    }

    [Fact]
    public async Task Giving_up_tells_what_was_wanted_and_what_was_seen_last()
    {
        var failure = await Should.ThrowAsync<TimeoutException>(() => Eventually.Get(() => "seen", until: value => value == "wanted", Short));

        failure.Message.ShouldContain("value == \"wanted\"");
        failure.Message.ShouldContain("last seen: seen");
    }

    [Fact]
    public async Task Giving_up_keeps_the_last_exception()
    {
        var failure = await Should.ThrowAsync<TimeoutException>(() => Eventually.Holds(() => 1.ShouldBe(2), Short));

        failure.InnerException.ShouldBeOfType<ShouldAssertException>();
    }

    [Fact]
    public async Task A_reading_that_hangs_does_not_hang_the_test()
    {
        var never = new TaskCompletionSource<bool>();

        await Should.ThrowAsync<TimeoutException>(() => Eventually.Is(() => never.Task, Short));
    }
}
