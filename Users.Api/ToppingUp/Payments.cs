using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using Polly;
using Polly.Timeout;

namespace Users;

/// <summary>The payment provider. Everything asked of it may be asked again: charges have our own ids.</summary>
public sealed class Payments(HttpClient http, PaymentPatience patience, ILogger<Payments> logger)
{
    /// <summary>Takes the money, once, however often it is asked for.</summary>
    /// <returns>What became of the charge; <see cref="ChargeState.Unknown"/> when nobody could say.</returns>
    public async Task<ChargeState> Charge(Guid id, long amount, CancellationToken cancellationToken)
    {
        try
        {
            using var answer = await Ask(
                () => new HttpRequestMessage(HttpMethod.Post, "charges") { Content = JsonContent.Create(new { id, amount }) }, cancellationToken);
            switch (answer.StatusCode)
            {
                case HttpStatusCode.OK:
                    return ChargeState.Charged;
                case HttpStatusCode.PaymentRequired:
                    return ChargeState.Declined;
                case HttpStatusCode.Conflict:
                    return ChargeState.Voided;
                default:
                    logger.ChargeUnknown(id, $"it answered {(int)answer.StatusCode}", null);
                    return ChargeState.Unknown;
            }
        }
        catch (Exception exception) when (PaymentPatience.IsNoAnswer(exception))
        {
            logger.ChargeUnknown(id, "it did not answer", exception);
            return ChargeState.Unknown;
        }
    }

    /// <summary>What the provider knows of a charge; null when it was never asked for it.</summary>
    /// <exception cref="HttpRequestException">It could not say.</exception>
    /// <exception cref="TimeoutRejectedException">It did not answer.</exception>
    public async Task<ChargeState?> Find(Guid id, CancellationToken cancellationToken)
    {
        using var answer = await Ask(() => new HttpRequestMessage(HttpMethod.Get, $"charges/{id}"), cancellationToken);
        return answer.StatusCode == HttpStatusCode.NotFound ? null : await Read(answer, cancellationToken);
    }

    /// <summary>
    /// Sees to it that a charge that was never asked for is never taken. One that is there, even if it came a moment
    /// ago, stays as it is: its producer may have been told of it, and committed.
    /// </summary>
    /// <returns>What the provider knows of it now.</returns>
    /// <exception cref="HttpRequestException">It could not say.</exception>
    /// <exception cref="TimeoutRejectedException">It did not answer.</exception>
    public async Task<ChargeState> VoidIfAbsent(Guid id, CancellationToken cancellationToken)
    {
        using var answer = await Ask(
            () => new HttpRequestMessage(HttpMethod.Post, $"charges/{id}/void") { Headers = { IfNoneMatch = { EntityTagHeaderValue.Any } } },
            cancellationToken);
        return answer.StatusCode == HttpStatusCode.PreconditionFailed
            ? await Find(id, cancellationToken) ?? ChargeState.Unknown
            : await Read(answer, cancellationToken);
    }

    /// <summary>Gives the money back.</summary>
    /// <exception cref="HttpRequestException">It could not say.</exception>
    /// <exception cref="TimeoutRejectedException">It did not answer.</exception>
    public async Task Refund(Guid id, CancellationToken cancellationToken)
    {
        using var answer = await Ask(() => new HttpRequestMessage(HttpMethod.Post, $"charges/{id}/void"), cancellationToken);
        answer.EnsureSuccessStatusCode();
    }

    private async Task<HttpResponseMessage> Ask(Func<HttpRequestMessage> make, CancellationToken cancellationToken) =>
        await patience.Pipeline.ExecuteAsync(
            async attempt =>
            {
                using var request = make();
                return await http.SendAsync(request, attempt);
            },
            cancellationToken);

    private static async Task<ChargeState> Read(HttpResponseMessage answer, CancellationToken cancellationToken)
    {
        answer.EnsureSuccessStatusCode();
        var charge = await answer.Content.ReadFromJsonAsync<Shown>(cancellationToken);
        return charge?.State switch
        {
            "charged" => ChargeState.Charged,
            "declined" => ChargeState.Declined,
            "voided" => ChargeState.Voided,
            _ => ChargeState.Unknown,
        };
    }

    private sealed record Shown(string? State);
}

/// <summary>What became of a charge.</summary>
public enum ChargeState
{
    /// <summary>Nobody can tell yet.</summary>
    Unknown,

    /// <summary>The money was taken.</summary>
    Charged,

    /// <summary>It was refused, for good.</summary>
    Declined,

    /// <summary>It was given back, or will never be taken.</summary>
    Voided,
}

internal static partial class PaymentsLog
{
    [LoggerMessage(1, LogLevel.Warning, "Whether charge {Charge} was taken is not known: {Why}. The check-back will ask the payment provider")]
    public static partial void ChargeUnknown(this ILogger logger, Guid charge, string why, Exception? exception);
}
