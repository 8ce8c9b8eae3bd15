using System.Diagnostics;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;

namespace CrashPoints;

/// <summary>Recognises the points of a top-up and of a webhook's attempt in what HttpClient and EF Core report.</summary>
internal sealed class Watch(Trap trap) : IObserver<DiagnosticListener>, IObserver<KeyValuePair<string, object?>>
{
    private const string Executing = "Microsoft.EntityFrameworkCore.Database.Command.CommandExecuting";
    private const string Executed = "Microsoft.EntityFrameworkCore.Database.Command.CommandExecuted";

    private int charged;
    private int accepted;
    private int recorded;

    public void OnNext(DiagnosticListener value)
    {
        if (value.Name is "HttpHandlerDiagnosticListener" or "Microsoft.EntityFrameworkCore")
        {
            value.Subscribe(this);
        }
    }

    // Reported on the thread that does it, before it goes on.
    public void OnNext(KeyValuePair<string, object?> value)
    {
        switch (value)
        {
            // The message is prepared, and the top-up's row is about to be stored.
            case { Key: "Microsoft.EntityFrameworkCore.Update.SaveChangesStarting", Value: DbContextEventData { Context: { } db } }
                when db.ChangeTracker.Entries().Any(entry => entry.State == EntityState.Added && entry.Metadata.ClrType.Name == "TopUp"):
                trap.Reach("after-prepare");
                break;
            case { Key: "System.Net.Http.HttpRequestOut.Start", Value: { } sent } when IsCharge(sent):
                trap.Reach("before-charge");
                break;
            case { Key: "System.Net.Http.HttpRequestOut.Stop", Value: { } answered } when IsCharge(answered):
                Volatile.Write(ref charged, 1);
                trap.Reach("after-charge");
                break;
            case { Key: Executing, Value: CommandEventData command } when IsAcceptance(command):
                trap.Reach("before-acceptance");
                break;
            case { Key: Executed, Value: CommandEventData command } when IsAcceptance(command):
                Volatile.Write(ref accepted, 1);
                trap.Reach("after-acceptance");
                break;
            case { Key: Executing, Value: CommandEventData command } when IsTake(command):
                trap.Reach("before-take");
                break;
            case { Key: Executed, Value: CommandEventData command } when IsTake(command):
                trap.Reach("after-take");
                break;
            case { Key: Executing, Value: CommandEventData command } when IsOutcome(command):
                trap.Reach("before-outcome");
                break;
            case { Key: Executed, Value: CommandEventData command } when IsOutcome(command):
                Volatile.Write(ref recorded, 1);
                trap.Reach("after-outcome");
                break;
            case { Key: "Microsoft.EntityFrameworkCore.Database.Transaction.TransactionCommitted" } when Interlocked.Exchange(ref accepted, 0) == 1:
                trap.Reach("accepted");
                break;
            case { Key: "Microsoft.EntityFrameworkCore.Database.Transaction.TransactionCommitted" } when Interlocked.Exchange(ref recorded, 0) == 1:
                trap.Reach("after-record");
                break;
            case { Key: "Microsoft.EntityFrameworkCore.Database.Transaction.TransactionCommitted" } when Interlocked.Exchange(ref charged, 0) == 1:
                trap.Reach("after-commit");
                break;
        }
    }

    public void OnCompleted()
    {
    }

    public void OnError(Exception error)
    {
    }

    // The statements that store a delivery, the first attempt taken; that take an attempt, with a lease; that end it, with the record of it.
    private static bool IsAcceptance(CommandEventData command) => Says(command, "INSERT INTO \"Delivery\" ");

    private static bool IsTake(CommandEventData command) =>
        Says(command, "UPDATE \"Delivery\"") && Says(command, "\"LeaseUntil\" =") && !Says(command, "\"LeaseUntil\" = NULL") && !IsOutcome(command);

    private static bool IsOutcome(CommandEventData command) => Says(command, "UPDATE \"Delivery\"") && Says(command, "INSERT INTO \"DeliveryAttempt\"");

    private static bool Says(CommandEventData command, string text) => command.Command.CommandText.Contains(text, StringComparison.Ordinal);

    private static bool IsCharge(object payload) =>
        payload.GetType().GetProperty("Request")?.GetValue(payload) is HttpRequestMessage { Method.Method: "POST" } request
        && request.RequestUri!.AbsolutePath.EndsWith("/charges", StringComparison.Ordinal);
}
