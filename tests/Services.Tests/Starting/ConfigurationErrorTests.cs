using Outbox.Testing;

namespace Services.Tests;

/// <summary>A service that cannot start says why in one line.</summary>
[Collection(ProcessTests.Name)]
public sealed class ConfigurationErrorTests
{
    private const string Provider = "Database__Provider";
    private const string Users = "ConnectionStrings__Users";
    private const string Key = "Receivers__Default__ApiKey";

    private const string Encryption = "Encryption__Key";
    private const string LongKey = "0123456789abcdef0123456789abcdef";

    private const string Queue = "points-credit-welcome-points";

    private static string[] Points => [$"{Provider}=Sqlite", "ConnectionStrings__Points=Data Source=x.db"];

    private static string[] Notifications => [$"{Provider}=Sqlite", $"{Key}={LongKey}", $"{Encryption}={Keys.Encryption}"];

    /// <summary>The service, its settings, and what the line must name.</summary>
    public static TheoryData<string, string[], string[]> Wrong => new()
    {
        { "Users.Api", [], [Provider, "missing", "Sqlite, Postgres or SqlServer"] },
        { "Users.Api", [$"{Provider}=Oracle"], [Provider, "Oracle", "Sqlite, Postgres or SqlServer"] },
        { "Users.Api", [$"{Provider}=SqlServer", $"{Users}=Server=localhost;Password=secret"], [Users, "no Database"] },
        { "Users.Api", [$"{Provider}=SqlServer", $"{Users}=Server=127.0.0.1,1;Database=x;User Id=sa;Password=secret;Connect Timeout=1"], [Users, "could not be opened"] },
        { "Users.Api", [$"{Provider}=Sqlite"], [Users, "missing"] },
        { "Users.Api", [$"{Provider}=Sqlite", $"{Users}=nonsense"], [Users] },
        { "Users.Api", [$"{Provider}=Sqlite", $"{Users}=Data Source=:memory:"], [Users, "no file"] },
        { "Users.Api", [$"{Provider}=Sqlite", $"{Users}=Data Source=/nowhere/at/all/users.db"], ["/nowhere/at/all"] },
        { "Users.Api", [$"{Provider}=Postgres", $"{Users}=Data Source=users.db"], [Users] },
        { "Users.Api", [$"{Provider}=Postgres", $"{Users}=Host=localhost"], [Users, "no Database"] },
        { "Users.Api", [$"{Provider}=Postgres", $"{Users}=Host=localhost;Port=1;Database=x;Password=secret"], [Users, "could not be opened"] },
        { "Users.Api", [$"{Provider}=Sqlite", $"{Users}=Data Source=x.db", "ConnectionStrings__RabbitMq=localhost"], ["ConnectionStrings__RabbitMq", "amqp://"] },
        { "Users.Api", [$"{Provider}=Sqlite", $"{Users}=Data Source=x.db", "OTEL_EXPORTER_OTLP_ENDPOINT=collector"], ["OTEL_EXPORTER_OTLP_ENDPOINT", "collector"] },
        { "Points.Worker", [.. Points, "RabbitMq__QuorumQueues=often"], ["RabbitMq__QuorumQueues", "often", "true or false"] },
        { "Points.Worker", [.. Points, $"Consumers__{Queue}__PrefetchCount=0"], [$"Consumers__{Queue}__PrefetchCount", "'0'", "1 to 10000"] },
        { "Points.Worker", [$"{Provider}=Sqlite"], ["ConnectionStrings__Points", "missing"] },
        { "Notifications.Worker", [$"{Provider}=Sqlite"], [Key, "missing"] },
        { "Notifications.Worker", [$"{Provider}=Sqlite", $"{Key}=short"], [Key, "random"] },
        { "Notifications.Worker", [$"{Provider}=Sqlite", $"{Key}={LongKey}"], [Encryption, "missing", "base64"] },
        { "Notifications.Worker", [$"{Provider}=Sqlite", $"{Key}={LongKey}", $"{Encryption}=secretly"], [Encryption, "32 random bytes"] },
        { "Notifications.Worker", [.. Notifications, "Operator__ApiKey=short"], ["Operator__ApiKey", "random"] },
        { "Notifications.Worker", [.. Notifications, "Webhooks__RetentionDays=0"], ["Webhooks__RetentionDays", "'0'"] },
        { "Local", ["LOCAL_PORT=http"], ["LOCAL_PORT", "http"] },
        { "Local", ["LOCAL_DATA=/dev/null/data"], ["LOCAL_DATA", "/dev/null/data"] },
    };

    [Theory]
    [MemberData(nameof(Wrong))]
    public async Task A_wrong_setting_stops_the_start_with_one_line(string service, string[] settings, string[] named)
    {
        var environment = settings.Select(s => s.Split('=', 2)).ToDictionary(s => s[0], s => (string?)s[1], StringComparer.Ordinal);
        await using var process = ServiceProcess.Start(ServiceProcess.AssemblyOf(service), environment);
        await process.Process.WaitForExitAsync();

        process.Process.ExitCode.ShouldBe(1, process.Process.Tail());
        var line = await process.Output.WaitFor(_ => true);
        process.Output.Count.ShouldBe(1, process.Process.Tail());
        line.ShouldStartWith("Cannot start: ");
        named.ShouldAllBe(name => line.Contains(name, StringComparison.Ordinal), line);
        line.ShouldNotContain("secret");
    }
}
