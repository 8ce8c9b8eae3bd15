namespace Outbox.Testing;

/// <summary>What became of every top-up: at the provider, in Users.Api and in the ledger.</summary>
/// <param name="TopUps">The rows of Users.Api.</param>
/// <param name="Taken">What the provider holds of each.</param>
/// <param name="Credits">What was credited for top-ups.</param>
/// <param name="Total">All that the provider holds.</param>
/// <param name="Open">Half messages that nobody has decided, and messages that wait to be sent.</param>
public sealed record TopUpAudit(
    IReadOnlyList<TopUpEntry> TopUps,
    IReadOnlyDictionary<Guid, long> Taken,
    IReadOnlyList<(string BusinessKey, Guid UserId, long Amount)> Credits,
    long Total,
    long Open)
{
    /// <summary>What the points service credited.</summary>
    public long Credited => Credits.Sum(credit => credit.Amount);

    /// <summary>
    /// What is not as promised: the provider holds the amount of each top-up that succeeded, which was credited once, and
    /// nothing of the others, which were never credited.
    /// </summary>
    public IReadOnlyList<string> Differences()
    {
        List<string> found = Open == 0 ? [] : [$"{Open} messages are undecided or wait"];
        if (Total != Credited)
            found.Add($"the provider holds {Total}, and {Credited} was credited");
        var credits = Credits.ToLookup(credit => credit.BusinessKey, StringComparer.Ordinal);
        foreach (var topUp in TopUps)
        {
            var expected = topUp.State == "Succeeded" ? topUp.Amount : 0;
            if (topUp.State == "Pending")
                found.Add($"{topUp} is pending");
            if (Taken[topUp.Id] != expected)
                found.Add($"{topUp}, and the provider holds {Taken[topUp.Id]}");
            var credited = credits[$"top-up:{topUp.Id}"].Select(credit => (credit.UserId, credit.Amount)).ToList();
            if (!credited.SequenceEqual(expected > 0 ? [(topUp.UserId, topUp.Amount)] : Array.Empty<(Guid, long)>()))
                found.Add($"{topUp}, and credited was [{string.Join(", ", credited)}]");
        }

        var known = TopUps.Select(topUp => $"top-up:{topUp.Id}").ToHashSet(StringComparer.Ordinal);
        found.AddRange(Credits.Where(credit => !known.Contains(credit.BusinessKey)).Select(credit => $"credited for no top-up: {credit}"));
        return found;
    }

    /// <summary>Counts, for reports.</summary>
    public override string ToString() =>
        $"{TopUps.Count(topUp => topUp.State == "Succeeded")} succeeded, {TopUps.Count(topUp => topUp.State == "Failed")} failed, "
        + $"{TopUps.Count(topUp => topUp.State == "Pending")} pending; the provider holds {Total}, credited {Credited}; {Open} messages open";

    /// <summary>Reads it all.</summary>
    public static async Task<TopUpAudit> ReadAsync(Books books, PaymentProvider payments)
    {
        var open = await books.CountPreparedAsync() + (await books.WaitingMessagesAsync("Users")).Count;
        var topUps = await books.TopUpsAsync();
        Dictionary<Guid, long> taken = [];
        foreach (var topUp in topUps)
            taken[topUp.Id] = await payments.TakenAsync(topUp.Id);
        return new TopUpAudit(topUps, taken, await books.TopUpCreditsAsync(), await payments.TotalAsync(), open);
    }

    /// <summary>Waits until all is as promised, for so many top-ups at least.</summary>
    public static Task<TopUpAudit> SettledAsync(Books books, PaymentProvider payments, int topUps, TimeSpan? limit = null) => Eventually.Get(
        () => ReadAsync(books, payments), audit => audit.TopUps.Count >= topUps && audit.Differences().Count == 0, limit ?? Eventually.Limit * 4);
}
