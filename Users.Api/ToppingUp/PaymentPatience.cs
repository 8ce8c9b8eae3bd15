using System.Net;
using Polly;
using Polly.Retry;
using Polly.Timeout;

namespace Users;

/// <summary>How long and how often the payment provider is asked.</summary>
/// <remarks>
/// All in all less than the delay of the first check-back (6 s): a charge that is still being asked for then would be
/// found absent, and voided.
/// </remarks>
public sealed class PaymentPatience(TimeProvider time)
{
    private static readonly TimeSpan InAll = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan Once = TimeSpan.FromSeconds(2);

    internal ResiliencePipeline<HttpResponseMessage> Pipeline { get; } = new ResiliencePipelineBuilder<HttpResponseMessage> { TimeProvider = time }
        .AddTimeout(InAll)
        .AddRetry(new RetryStrategyOptions<HttpResponseMessage>
        {
            ShouldHandle = answer => ValueTask.FromResult(
                answer.Outcome.Exception is { } exception ? IsNoAnswer(exception) : answer.Outcome.Result!.StatusCode >= HttpStatusCode.InternalServerError),
            MaxRetryAttempts = 2,
            Delay = TimeSpan.FromMilliseconds(100),
            BackoffType = DelayBackoffType.Exponential,
            UseJitter = true,
        })
        .AddTimeout(Once)
        .Build();

    /// <summary>Whether an exception says that the provider may or may not have done what it was asked.</summary>
    internal static bool IsNoAnswer(Exception exception) => exception is HttpRequestException or TimeoutRejectedException;
}
