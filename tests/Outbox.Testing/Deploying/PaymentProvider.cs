using System.Net;
using System.Net.Http.Json;

namespace Outbox.Testing;

/// <summary>The simulated payment provider, as its operator sees it.</summary>
/// <param name="simulators">Where the simulators answer.</param>
public sealed class PaymentProvider(Uri simulators)
{
    private static readonly HttpClient Http = new() { Timeout = TimeSpan.FromSeconds(20) };

    /// <summary>Chooses how the next charges go.</summary>
    /// <param name="mode">Such as <c>charge-then-hang</c>.</param>
    /// <param name="times">For how many; null: until another is chosen.</param>
    public async Task SetAsync(string mode, int? times = null)
    {
        using var answer = await Http.PutAsJsonAsync(new Uri(simulators, "/payments/behaviour"), new { mode, times });
        answer.EnsureSuccessStatusCode();
    }

    /// <summary>How the next charge goes.</summary>
    public async Task<string> ModeAsync() => (await Http.GetFromJsonAsync<Behaviour>(new Uri(simulators, "/payments/behaviour")))!.Mode;

    /// <summary>The money taken and not given back.</summary>
    public async Task<long> TotalAsync() => (await Http.GetFromJsonAsync<Sum>(new Uri(simulators, "/payments/total")))!.Total;

    /// <summary>What the provider holds of a charge: the amount, or 0 when it was not taken.</summary>
    public async Task<long> TakenAsync(Guid charge)
    {
        using var answer = await Http.GetAsync(new Uri(simulators, $"/payments/charges/{charge}"));
        if (answer.StatusCode == HttpStatusCode.NotFound)
            return 0;
        answer.EnsureSuccessStatusCode();
        var shown = (await answer.Content.ReadFromJsonAsync<Charge>())!;
        return shown.State == "charged" ? shown.Amount : 0;
    }

    private sealed record Behaviour(string Mode);

    private sealed record Sum(long Total);

    private sealed record Charge(long Amount, string State);
}
