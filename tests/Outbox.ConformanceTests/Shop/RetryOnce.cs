using Microsoft.EntityFrameworkCore.Storage;

namespace Outbox.ConformanceTests;

/// <summary>An execution strategy that takes a time-out for a passing trouble, and tries once more at once.</summary>
public sealed class RetryOnce(ExecutionStrategyDependencies dependencies) : IExecutionStrategyFactory
{
    public IExecutionStrategy Create() => new Strategy(dependencies);

    private sealed class Strategy(ExecutionStrategyDependencies dependencies) : ExecutionStrategy(dependencies, 1, TimeSpan.Zero)
    {
        protected override bool ShouldRetryOn(Exception exception) => exception is TimeoutException;
    }
}
