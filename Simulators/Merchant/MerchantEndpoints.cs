using System.Text.Json;
using System.Text.Json.Nodes;
using FluentValidation;
using ServiceDefaults;

namespace Simulators;

/// <summary>A merchant that is told by webhook what happened.</summary>
internal static class MerchantEndpoints
{
    private const string List = "received";

    public static void MapMerchant(this IEndpointRouteBuilder routes)
    {
        var merchant = routes.MapGroup("/merchant");
        merchant.MapPost("/webhooks", Receive);
        merchant.MapPost("/webhooks/elsewhere", Receive);
        merchant.MapGet("/received", ReadPage);
        merchant.MapPut("/secret", (SecretRequest request, MerchantBook book) =>
        {
            book.ChangeSecret(request.Secret!);
            return TypedResults.NoContent();
        }).Validate<SecretRequest>();
        merchant.MapGet("/behaviour", (Behaviour<MerchantMode> behaviour) => behaviour.Show());
        merchant.MapPut("/behaviour", (BehaviourRequest<MerchantMode> request, Behaviour<MerchantMode> behaviour) =>
        {
            behaviour.Set(request.Mode!.Value, request.Times);
            return behaviour.Show();
        }).Validate<BehaviourRequest<MerchantMode>>();
    }

    private static async Task<IResult> Receive(
        HttpContext http, MerchantBook book, Behaviour<MerchantMode> behaviour, TimeProvider time, IHostApplicationLifetime lifetime)
    {
        using var content = new MemoryStream();
        await http.Request.Body.CopyToAsync(content, http.RequestAborted);
        var body = content.ToArray();
        var id = Header("webhook-id");
        var refusal = book.Secret is { } secret
            ? WebhookSignature.Refuse(secret, id, Header("webhook-timestamp"), Header("webhook-signature"), body, time.GetUtcNow())
            : "The merchant has no secret yet: PUT /merchant/secret.";
        if (refusal is not null)
        {
            return Problems.Of(StatusCodes.Status401Unauthorized, "signature-refused", refusal);
        }

        JsonNode? json;
        try
        {
            json = JsonNode.Parse(body);
        }
        catch (JsonException)
        {
            return Problems.For(StatusCodes.Status400BadRequest, "The body is no JSON.");
        }

        var mode = behaviour.Take();
        book.Add(id!, time.UtcNow(), mode, json);
        return await Answer(mode, new Faults(http, lifetime), http.Response);

        string? Header(string name) => http.Request.Headers[name];
    }

    private static async Task<IResult> Answer(MerchantMode mode, Faults faults, HttpResponse response)
    {
        switch (mode)
        {
            case MerchantMode.Fail:
                return Problems.For(StatusCodes.Status500InternalServerError, "On request.");
            case MerchantMode.Hang:
                return await faults.Hang();
            case MerchantMode.Gone:
                return Problems.Of(StatusCodes.Status410Gone, "gone", "Nothing more is wanted here.");
            case MerchantMode.Throttle:
                response.Headers.RetryAfter = "2";
                return Problems.Of(StatusCodes.Status429TooManyRequests, "too-many", "Not so fast.");
            case MerchantMode.Redirect:
                var here = response.HttpContext.Request;
                return TypedResults.Redirect($"{here.PathBase}{here.Path}/elsewhere", permanent: false, preserveMethod: true);
            case MerchantMode.Drip:
                return await faults.Drip();
            case MerchantMode.Huge:
                return await faults.Flood();
            default:
                return TypedResults.NoContent();
        }
    }

    private static Page<ReceivedWebhook> ReadPage([AsParameters] PageRequest request, MerchantBook book)
    {
        var (after, limit) = request.Read(List);
        var rows = book.Read(after?.Position ?? 0, limit + 1);
        return Page.From(rows, limit, webhook => webhook, last => new Cursor(last.Number, Guid.Empty), List);
    }
}

/// <summary>The body of <c>PUT /merchant/secret</c>.</summary>
/// <param name="Secret">As the notifier showed it: <c>whsec_…</c>.</param>
public sealed record SecretRequest(string? Secret);

internal sealed class SecretRequestValidator : AbstractValidator<SecretRequest>
{
    public SecretRequestValidator()
    {
        RuleLevelCascadeMode = CascadeMode.Stop;
        RuleFor(r => r.Secret).NotEmpty().Must(secret => WebhookSignature.ReadSecret(secret!) is not null)
            .WithMessage("'{PropertyName}' must be whsec_ and base64 of 24 to 64 bytes.").WithName("secret");
    }
}
