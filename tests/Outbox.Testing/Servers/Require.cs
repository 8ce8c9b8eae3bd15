using Xunit;

namespace Outbox.Testing;

/// <summary>
/// The one rule about servers that cannot be found: locally the test is skipped and says why, with <c>CI=true</c> it
/// fails. Tests that call this are <c>[SkippableFact]</c> or <c>[SkippableTheory]</c>.
/// </summary>
public static class Require
{
    /// <summary>The PostgreSQL server that the tests of this process share.</summary>
    public static async Task<PostgresServer> PostgresAsync()
    {
        Available(PostgresServer.Missing);
        return await PostgresServer.SharedAsync();
    }

    /// <summary>The RabbitMQ broker that the tests of this process share.</summary>
    public static async Task<RabbitMqServer> RabbitMqAsync()
    {
        Available(RabbitMqServer.Missing);
        return await RabbitMqServer.SharedAsync();
    }

    /// <summary>A PostgreSQL server of one's own, to stop, kill and restart.</summary>
    public static async Task<PostgresServer> PrivatePostgresAsync(PostgresOptions? options = null)
    {
        Available(PostgresServer.MissingBinaries);
        return await PostgresServer.StartNewAsync(options);
    }

    /// <summary>A RabbitMQ broker of one's own, to stop, kill, pause and restart.</summary>
    public static async Task<RabbitMqServer> PrivateRabbitMqAsync(RabbitMqOptions? options = null)
    {
        Available(RabbitMqServer.MissingBinaries);
        return await RabbitMqServer.StartNewAsync(options);
    }

    /// <summary>Goes on when nothing is missing; otherwise skips or, with <c>CI=true</c>, fails.</summary>
    /// <param name="missing">What is missing and how to get it; null when nothing is.</param>
    public static void Available(string? missing)
    {
        if (missing is null)
            return;
        if (string.Equals(Environment.GetEnvironmentVariable("CI"), "true", StringComparison.OrdinalIgnoreCase))
            throw new InvalidOperationException($"{missing} With CI=true nothing may be skipped.");
        Skip.If(condition: true, missing);
    }
}
