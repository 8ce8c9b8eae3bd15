using Microsoft.Net.Http.Headers;
using ServiceDefaults;

namespace Simulators;

/// <summary>A payment provider: charging is idempotent by the caller's id, and so is voiding.</summary>
internal static class PaymentEndpoints
{
    private const string Any = "*";

    public static void MapPayments(this IEndpointRouteBuilder routes)
    {
        var payments = routes.MapGroup("/payments");
        payments.MapPost("/charges", Take).Validate<ChargeRequest>();
        payments.MapGet("/charges/{id}", Find);
        payments.MapPost("/charges/{id}/void", Void);
        payments.MapGet("/total", (ChargeBook book) => book.Total());
        payments.MapGet("/behaviour", (Behaviour<PaymentMode> behaviour) => behaviour.Show());
        payments.MapPut("/behaviour", (BehaviourRequest<PaymentMode> request, Behaviour<PaymentMode> behaviour) =>
        {
            behaviour.Set(request.Mode!.Value, request.Times);
            return behaviour.Show();
        }).Validate<BehaviourRequest<PaymentMode>>();
    }

    private static async Task<IResult> Take(
        ChargeRequest request, ChargeBook book, Behaviour<PaymentMode> behaviour, HttpContext http, IHostApplicationLifetime lifetime)
    {
        var faults = new Faults(http, lifetime);
        switch (behaviour.Take())
        {
            case PaymentMode.Error:
                return Broken();
            case PaymentMode.Hang:
                return await faults.Hang();
            case PaymentMode.Unreachable:
                return faults.Break();
            case PaymentMode.Decline:
                return Answer(request, book.Decide(request.Id!, request.Amount!.Value, ChargeState.Declined));
            case PaymentMode.ChargeThenHang:
                Charge();
                return await faults.Hang();
            case PaymentMode.ChargeThenError:
                Charge();
                return Broken();
            default:
                return Answer(request, Charge());
        }

        Charge Charge() => book.Decide(request.Id!, request.Amount!.Value, ChargeState.Charged);
    }

    private static IResult Answer(ChargeRequest request, Charge charge) => charge switch
    {
        { State: ChargeState.Voided } =>
            Problems.Of(StatusCodes.Status409Conflict, "charge-voided", "This charge was voided: it will never be taken."),
        _ when charge.Amount != request.Amount =>
            Problems.Of(StatusCodes.Status422UnprocessableEntity, "charge-id-reused", "This id was used for another amount."),
        { State: ChargeState.Declined } =>
            Problems.Of(StatusCodes.Status402PaymentRequired, "charge-declined", "The charge was declined."),
        _ => TypedResults.Ok(charge),
    };

    private static IResult Find(
        string id, ChargeBook book, Behaviour<PaymentMode> behaviour, HttpContext http, IHostApplicationLifetime lifetime)
    {
        if (IsUnreachable(behaviour))
        {
            return new Faults(http, lifetime).Break();
        }

        return book.Find(id) is { } charge ? TypedResults.Ok(charge) : Problems.NotFound("There is no charge with this id.");
    }

    // With "If-None-Match: *", HTTP's own way of saying so, only a charge that is not there is voided. Whoever has just
    // been told that there is none needs it: by now there may be one, and its owner may have been told of it.
    private static IResult Void(
        string id, ChargeBook book, Behaviour<PaymentMode> behaviour, HttpContext http, IHostApplicationLifetime lifetime)
    {
        if (IsUnreachable(behaviour))
        {
            return new Faults(http, lifetime).Break();
        }

        return book.Void(id, onlyIfAbsent: http.Request.Headers[HeaderNames.IfNoneMatch] == Any) is { } charge
            ? TypedResults.Ok(charge)
            : Problems.Of(StatusCodes.Status412PreconditionFailed, "charge-exists", "There is a charge with this id, and it was not voided.");
    }

    private static bool IsUnreachable(Behaviour<PaymentMode> behaviour) =>
        behaviour.Take(mode => mode == PaymentMode.Unreachable) == PaymentMode.Unreachable;

    private static IResult Broken() => Problems.For(StatusCodes.Status500InternalServerError, "On request.");
}
