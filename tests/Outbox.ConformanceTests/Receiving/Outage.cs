using System.Data.Common;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Outbox.Testing;

namespace Outbox.ConformanceTests.Receiving;

/// <summary>The database is away, as a driver tells it: nothing that is executed arrives.</summary>
internal sealed class Outage : DbCommandInterceptor
{
    public bool On { get; set; }

    public SignalLog<string> Refused { get; } = new();

    public override ValueTask<InterceptionResult<int>> NonQueryExecutingAsync(
        DbCommand command, CommandEventData eventData, InterceptionResult<int> result, CancellationToken cancellationToken = default)
    {
        if (!On)
            return ValueTask.FromResult(result);

        Refused.Add(command.CommandText);
        throw new Gone();
    }
}

internal sealed class Gone() : DbException("The connection was lost.")
{
    public override bool IsTransient => true;
}
