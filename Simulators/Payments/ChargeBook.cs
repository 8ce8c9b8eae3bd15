namespace Simulators;

/// <summary>Every charge that was ever taken, refused or voided. A killed process forgets none of them.</summary>
internal sealed class ChargeBook : IDisposable
{
    private readonly Lock turn = new();
    private readonly Dictionary<string, Charge> charges = new(StringComparer.Ordinal);
    private readonly Journal<Charge> journal;

    public ChargeBook(string path)
    {
        journal = new Journal<Charge>(path);
        foreach (var charge in journal.Read())
        {
            charges[charge.Id] = charge;
        }
    }

    public Charge? Find(string id)
    {
        lock (turn)
        {
            return charges.GetValueOrDefault(id);
        }
    }

    /// <summary>Decides a charge, unless that id was decided before: then nothing changes.</summary>
    /// <returns>What is in the book now, which the caller compares with what it asked for.</returns>
    public Charge Decide(string id, long amount, ChargeState state)
    {
        lock (turn)
        {
            return charges.GetValueOrDefault(id) ?? Write(new Charge(id, amount, state));
        }
    }

    /// <summary>Gives the money back; where nothing is known of that id, sees to it that it will never be taken.</summary>
    /// <param name="id">The charge.</param>
    /// <param name="onlyIfAbsent">Whether a charge that is there stays as it is.</param>
    /// <returns>The charge now; null when it was there and was to stay.</returns>
    public Charge? Void(string id, bool onlyIfAbsent)
    {
        lock (turn)
        {
            return charges.GetValueOrDefault(id) switch
            {
                null => Write(new Charge(id, 0, ChargeState.Voided)),
                { State: ChargeState.Voided } voided => voided,
                _ when onlyIfAbsent => null,
                { State: ChargeState.Charged } charged => Write(charged with { State = ChargeState.Voided }),
                var declined => declined,
            };
        }
    }

    /// <summary>The money taken and not given back.</summary>
    public PaymentTotal Total()
    {
        lock (turn)
        {
            var taken = charges.Values.Where(charge => charge.State == ChargeState.Charged).ToList();
            return new PaymentTotal(taken.Sum(charge => charge.Amount), taken.Count);
        }
    }

    public void Dispose() => journal.Dispose();

    private Charge Write(Charge charge)
    {
        journal.Add(charge);
        return charges[charge.Id] = charge;
    }
}

/// <summary>What the provider holds.</summary>
/// <param name="Total">The sum of all charges.</param>
/// <param name="Charges">How many they are.</param>
public sealed record PaymentTotal(long Total, int Charges);
