using System.Text.Json.Serialization;
using Contracts;
using FluentValidation;
using MassTransit;
using Microsoft.EntityFrameworkCore;
using Outbox;
using ServiceDefaults;

namespace Users;

/// <summary>The body of <c>POST /users/{id}/top-ups</c>.</summary>
[JsonNumberHandling(JsonNumberHandling.Strict)]
public sealed record StartTopUp(long? Amount);

internal sealed class StartTopUpValidator : AbstractValidator<StartTopUp>
{
    public StartTopUpValidator()
    {
        RuleLevelCascadeMode = CascadeMode.Stop;
        RuleFor(r => r.Amount).NotNull().InclusiveBetween(1, TopUp.MaxAmount).WithName("amount");
    }
}

/// <summary>
/// Takes a payment, which no transaction can hold, and tells of it: the message is prepared before, and committed or
/// rolled back after, together with the top-up's row.
/// </summary>
internal static class StartTopUpEndpoint
{
    public static void MapStartTopUp(this IEndpointRouteBuilder routes) =>
        routes.MapPost("/users/{id:guid}/top-ups", Start).Validate<StartTopUp>();

    private static async Task<IResult> Start(
        Guid id,
        StartTopUp request,
        HttpRequest http,
        UsersDb db,
        IOutbox<UsersDb> outbox,
        Payments payments,
        TimeProvider time,
        ILogger<TopUp> logger,
        CancellationToken cancellationToken)
    {
        var idempotency = IdempotencyKey.Read(http.Headers, $"POST /users/{id}/top-ups", request);
        if (await idempotency.FindAnswer(db, cancellationToken) is { } given)
        {
            return given;
        }

        if (!await db.Users.AnyAsync(u => u.Id == id, cancellationToken))
        {
            return Problems.NotFound("There is no user with this id.");
        }

        var (topUpId, now) = (NewId.NextGuid(), time.UtcNow());
        await using var half = await outbox.Prepare(
            new TopUpSucceeded(topUpId, id, request.Amount!.Value, now), cancellationToken);
        var topUp = new TopUp { Id = topUpId, UserId = id, Amount = request.Amount.Value, StartedAt = now, MessageId = half.MessageId };
        db.TopUps.Add(topUp);
        idempotency.KeepAnswer(db, Answer(topUp), now);
        try
        {
            await db.SaveChangesAsync(cancellationToken);
        }
        catch (DbUpdateException exception) when (exception.IsDuplicateKey())
        {
            // A twin of this very request was faster; or this one was so slow that the check-back has given it up, or an operator
            // has decided it: nothing was asked of the provider, and nothing will be.
            try
            {
                await half.RollbackAsync(CancellationToken.None);
            }
            catch (HalfMessageDecidedException decided)
            {
                logger.DecidedBefore(topUpId, decided.Found);
            }

            return await idempotency.FindAnswer(db, cancellationToken) ?? Problems.For(StatusCodes.Status503ServiceUnavailable);
        }

        // From here on it happens, whether the client waits or not.
        await Pay(topUp, half, db, payments, idempotency);
        return Answer(topUp);
    }

    private static async Task Pay(TopUp topUp, IHalfMessage half, UsersDb db, Payments payments, IdempotencyKey idempotency)
    {
        switch (await payments.Charge(topUp.Id, topUp.Amount, CancellationToken.None))
        {
            case ChargeState.Charged:
                topUp.State = TopUpState.Succeeded;
                half.Commit();
                break;
            case ChargeState.Declined or ChargeState.Voided:
                topUp.State = TopUpState.Failed;
                half.Rollback();
                break;
            default:
                return;   // nobody knows: the check-back will find out
        }

        idempotency.ReplaceAnswer(db, Answer(topUp));
        try
        {
            await db.SaveChangesAsync();   // the row and the decision: both, or neither
        }
        catch (HalfMessageDecidedException decided) when (decided.Found is not null)
        {
            await Yield(topUp, half, db, payments, idempotency, decided);
        }
    }

    // An operator decided otherwise meanwhile. The first decision stands, and the money follows it.
    private static async Task Yield(
        TopUp topUp, IHalfMessage half, UsersDb db, Payments payments, IdempotencyKey idempotency, HalfMessageDecidedException decided)
    {
        if (decided.Found == OutboxMessageState.RolledBack)
        {
            await payments.Refund(topUp.Id, CancellationToken.None);
            topUp.State = TopUpState.Failed;
            half.Rollback();
        }
        else
        {
            topUp.State = TopUpState.Succeeded;
            half.Commit();
        }

        idempotency.ReplaceAnswer(db, Answer(topUp));
        await db.SaveChangesAsync();
    }

    private static Answer Answer(TopUp topUp) =>
        Users.Answer.Accepted($"{TopUpEndpoints.Path}/{topUp.Id}", TopUpView.Of(topUp, TopUpView.Word(topUp.State)));
}

internal static partial class StartTopUpLog
{
    [LoggerMessage(2, LogLevel.Warning, "Top-up {TopUp} was decided before it was stored (its message is {State}): its payment is not asked for")]
    public static partial void DecidedBefore(this ILogger logger, Guid topUp, OutboxMessageState? state);
}
