using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Storage;
using Microsoft.EntityFrameworkCore.Update;

namespace Outbox.Databases;

/// <summary>
/// The statements of a save that go to PostgreSQL together, and are one transaction there without a <c>BEGIN</c>: a save whose only
/// statements insert rows, messages among them, spares the round trip of its <c>COMMIT</c>.
/// </summary>
/// <remarks>
/// Only inserts: that an update or a delete found no row is known here, when the database has committed. And only where no trigger can leave a
/// row out (<see cref="SqlDialect.DropsInserts"/>), which would be found out as late.
/// </remarks>
internal sealed class InsertBatch(ModificationCommandBatch own) : ModificationCommandBatch
{
    public override IReadOnlyList<IReadOnlyModificationCommand> ModificationCommands => own.ModificationCommands;

    public override bool RequiresTransaction => own.RequiresTransaction && !(own.ModificationCommands.All(IsInsert) && own.ModificationCommands.Any(IsMessage));

    // With another batch to come EF begins a transaction, whatever this one says.
    public override bool AreMoreBatchesExpected => own.AreMoreBatchesExpected;

    public override bool TryAddCommand(IReadOnlyModificationCommand modificationCommand) => own.TryAddCommand(modificationCommand);

    public override void Complete(bool moreBatchesExpected) => own.Complete(moreBatchesExpected);

    public override void Execute(IRelationalConnection connection) => own.Execute(connection);

    public override Task ExecuteAsync(IRelationalConnection connection, CancellationToken cancellationToken = default) => own.ExecuteAsync(connection, cancellationToken);

    private static bool IsInsert(IReadOnlyModificationCommand command) => command.EntityState == EntityState.Added && command.StoreStoredProcedure is null;

    private static bool IsMessage(IReadOnlyModificationCommand command) => command.Entries is [{ EntityType.ClrType: var type }, ..] && type == typeof(OutboxMessage);
}

/// <inheritdoc cref="InsertBatch"/>
internal sealed class InsertBatchFactory(IModificationCommandBatchFactory own, ICurrentDbContext current, IDbContextOptions options) : IModificationCommandBatchFactory
{
    public ModificationCommandBatch Create()
        => options.FindExtension<FewerRoundTrips>() is { } extension && extension.KeepsInserts(current.Context) ? new InsertBatch(own.Create()) : own.Create();
}
