namespace Outbox.ConformanceTests.Checking;

/// <summary>
/// A producer, check-backs, an operator and the relay at one half message, in every order of their steps, each of them dying
/// after every step: never delivered after a roll-back, never lost after a commit, and the business row agrees at all times.
/// </summary>
public sealed class EveryOrderTests
{
    public enum Operators
    {
        Nobody,
        Commits,
        RollsBack,
        Rechecks,
    }

    [Theory]
    [InlineData(true, Operators.Commits)]
    [InlineData(true, Operators.RollsBack)]
    [InlineData(true, Operators.Rechecks)]
    [InlineData(false, Operators.Commits)]
    [InlineData(false, Operators.RollsBack)]
    [InlineData(false, Operators.Rechecks)]
    public async Task With_a_check_and_an_operator(bool accepted, Operators who)
    {
        await using var world = await HalfMessageWorld.StartAsync();
        foreach (var producer in new[] { 1, 2, 3 })
        {
            foreach (var check in new[] { 1, 2 })
            {
                foreach (var order in Orders(producer, check, 1))
                {
                    foreach (var relaysAtOnce in new[] { true, false })
                        await world.Run(order, accepted, who, relaysAtOnce);
                }
            }
        }

        world.Runs.ShouldBe((6 + 12 + 12 + 30 + 20 + 60) * 2);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task With_two_checks_by_two_replicas(bool accepted)
    {
        await using var world = await HalfMessageWorld.StartAsync();
        foreach (var order in Orders(3, 2, 2))
            await world.Run(order, accepted, Operators.Nobody, relaysAtOnce: true);

        world.Runs.ShouldBe(210);
    }

    /// <summary>All orders in which actors with so many steps each can take turns.</summary>
    private static IEnumerable<int[]> Orders(params int[] steps)
    {
        if (steps.All(s => s == 0))
            return [[]];
        return from actor in Enumerable.Range(0, steps.Length)
               where steps[actor] > 0
               from rest in Orders([.. steps.Select((s, i) => i == actor ? s - 1 : s)])
               select (int[])[actor, .. rest];
    }
}
