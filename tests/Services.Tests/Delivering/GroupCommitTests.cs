using Notifications;
using Outbox.Testing;

namespace Services.Tests;

public class GroupCommitTests
{
    private readonly List<int[]> groups = [];
    private readonly SignalLog<int> begun = new();
    private readonly Signal go = new();
    private bool fails;

    [Fact]
    public async Task What_comes_while_one_is_under_way_is_done_together_and_no_more_than_may_be()
    {
        var group = new GroupCommit<int>(3, Commit);
        var first = group.Add(0);
        await begun.WaitForCount(1);
        var rest = Enumerable.Range(1, 4).Select(group.Add).ToList();
        go.Set();

        (await Task.WhenAll([first, .. rest])).ShouldAllBe(done => done);

        groups.ShouldBe([[0], [1, 2, 3], [4]]);
    }

    [Fact]
    public async Task Who_shared_one_that_failed_learns_of_it_and_the_next_begins_anew()
    {
        go.Set();
        var group = new GroupCommit<int>(3, Commit);
        fails = true;
        (await group.Add(1)).ShouldBeFalse();

        fails = false;
        (await group.Add(2)).ShouldBeTrue();

        groups.ShouldBe([[1], [2]]);
    }

    [Fact]
    public async Task One_that_throws_ends_nothing_but_itself()
    {
        var count = 0;
        var group = new GroupCommit<int>(3, _ => ++count == 1 ? throw new InvalidOperationException("once") : Task.FromResult(true));

        (await Should.ThrowAsync<InvalidOperationException>(group.Add(1))).Message.ShouldBe("once");
        (await group.Add(2)).ShouldBeTrue();
    }

    private async Task<bool> Commit(IReadOnlyList<int> items)
    {
        groups.Add([.. items]);
        begun.Add(items.Count);
        await go.WaitAsync();
        return !fails;
    }
}
