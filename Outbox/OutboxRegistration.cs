using System.Security.Cryptography;
using System.Threading.Channels;
using Microsoft.EntityFrameworkCore;
using Outbox.Databases;

namespace Outbox;

/// <summary>One outbox of this process: its DbContext type, its options, and what its parts share while they run.</summary>
internal abstract class OutboxRegistration(Type dbContextType, OutboxOptions options)
{
    public Type DbContextType { get; } = dbContextType;

    public OutboxOptions Options { get; } = options;

    /// <summary>Raised when a transaction of this process has stored messages.</summary>
    public WakeUp WakeUp { get; } = new();

    /// <summary>This process, as the histories of half messages name it: the machine, and what tells two processes on it apart.</summary>
    public string Replica { get; } = $"{Environment.MachineName}/{Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(4))}";

    /// <summary>The partitions that this process relays now; replaced as a whole, never changed in place.</summary>
    public IReadOnlyList<int> OwnedPartitions { get; set; } = [];

    /// <summary>Completed once the database was asked: whether a row that is inserted is inserted, or fails (<see cref="InsertTriggers{TDbContext}"/>).</summary>
    public TaskCompletionSource<bool> KeepsInserts { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>
    /// Completed by the relay once everything that was kept has been sent again after the start; completed from the
    /// beginning where nothing is.
    /// </summary>
    public TaskCompletionSource StartUpRedelivery { get; } = StartUpRedeliveryOf(options);

    private static TaskCompletionSource StartUpRedeliveryOf(OutboxOptions options)
    {
        var redelivery = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        if (!options.RedeliverOnStart || !options.DeliveryServiceEnabled)
            redelivery.SetResult();
        return redelivery;
    }
}

/// <inheritdoc/>
internal sealed class OutboxRegistration<TDbContext>(OutboxOptions options) : OutboxRegistration(typeof(TDbContext), options)
    where TDbContext : DbContext;

/// <summary>A signal that is remembered until it is awaited, however often it was raised meanwhile.</summary>
internal sealed class WakeUp
{
    private readonly Channel<bool> _signal = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });

    public void Raise() => _signal.Writer.TryWrite(true);

    public async Task WaitAsync(CancellationToken cancellationToken) => await _signal.Reader.ReadAsync(cancellationToken).ConfigureAwait(false);
}
