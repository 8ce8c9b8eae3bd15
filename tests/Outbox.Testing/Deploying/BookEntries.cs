namespace Outbox.Testing;

/// <summary>What the databases of all services hold together.</summary>
/// <param name="Users">Who registered.</param>
/// <param name="Balances">Each account's balance.</param>
/// <param name="Credits">Each ledger entry's amount.</param>
/// <param name="Told">The business key of each notification of credited points.</param>
/// <param name="Waiting">Messages that wait in an outbox.</param>
/// <param name="Dead">Messages that were given up.</param>
public sealed record BookEntries(
    IReadOnlyList<Guid> Users,
    IReadOnlyList<(Guid UserId, long Amount)> Balances,
    IReadOnlyList<(Guid UserId, long Amount)> Credits,
    IReadOnlyList<string> Told,
    long Waiting,
    long Dead)
{
    private const long Welcome = 100;

    /// <summary>
    /// What is not as promised: each of these users has 100 points by one credit, and one notification; nobody else
    /// has anything; no message was given up.
    /// </summary>
    public IReadOnlyList<string> Differences(IReadOnlyCollection<Guid> registered)
    {
        var right = registered.Select(id => (UserId: id, Amount: Welcome)).ToList();
        return
        [
            .. Compare("user", registered, Users),
            .. Compare("balance", right, Balances),
            .. Compare("credit", right, Credits),
            .. Compare("notification", registered.Select(id => $"welcome:{id}"), Told),
            .. Dead == 0 ? (string[])[] : [$"dead messages: {Dead}"],
        ];
    }

    /// <summary>Counts, for the message of a failure.</summary>
    public override string ToString() =>
        $"{Users.Count} users, {Balances.Count} accounts with {Balances.Sum(b => b.Amount)} points, {Credits.Count} credits of {Credits.Sum(c => c.Amount)} points, "
        + $"{Told.Count} notifications; {Waiting} messages wait, {Dead} are dead";

    private static IEnumerable<string> Compare<T>(string what, IEnumerable<T> expected, IEnumerable<T> found)
        where T : notnull
    {
        var counts = expected.ToDictionary(item => item, _ => 0);
        foreach (var item in found)
        {
            if (!counts.TryGetValue(item, out var count))
                yield return $"a {what} that nobody asked for: {item}";
            else
                counts[item] = count + 1;
        }

        foreach (var (item, count) in counts.Where(entry => entry.Value != 1))
            yield return $"{count} times the {what} {item}, instead of once";
    }
}
