using Outbox.Testing;

namespace Outbox.ConformanceTests.Relaying;

public sealed class SqlServerRelayTests : ServerRelaySuite
{
    protected override Task<TestDatabase> NewDatabase() => TestDatabase.SqlServerAsync();
}
