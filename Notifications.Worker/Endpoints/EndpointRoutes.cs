using System.Security.Claims;
using System.Text.Json;
using System.Text.Json.Nodes;
using FluentValidation;
using MassTransit;
using Microsoft.EntityFrameworkCore;
using ServiceDefaults;

namespace Notifications;

/// <summary>A receiver's endpoints: made, read, changed and deleted.</summary>
internal static class EndpointRoutes
{
    private const string Path = "/endpoints";
    private const string Headers = "headers";

    // A merge patch knows members by their exact names.
    private static readonly JsonSerializerOptions Exact = new(JsonSerializerDefaults.Web) { PropertyNameCaseInsensitive = false };
    private static readonly HashSet<string> SettingNames = new(
        typeof(EndpointSettings).GetProperties().Select(property => JsonNamingPolicy.CamelCase.ConvertName(property.Name)), StringComparer.Ordinal);

    public static void MapEndpoints(this IEndpointRouteBuilder routes)
    {
        routes.MapPost(Path, Create).Validate<EndpointSettings>();
        routes.MapGet(Path, List);
        routes.MapGet(Path + "/{id:guid}", Find);
        routes.MapPatch(Path + "/{id:guid}", Patch);
        routes.MapDelete(Path + "/{id:guid}", Delete);
    }

    private static async Task<IResult> Create(
        EndpointSettings request,
        ClaimsPrincipal caller,
        HttpResponse response,
        NotificationsDb db,
        EndpointBook endpoints,
        SecretBox box,
        WebhookSettings settings,
        TimeProvider time,
        CancellationToken cancellationToken)
    {
        var receiverId = caller.ReceiverId();
        await using var transaction = await db.Database.BeginTransactionAsync(cancellationToken);

        // One at a time for a receiver, so that two cannot both be the last that is allowed.
        await db.Receivers.Where(r => r.Id == receiverId)
            .ExecuteUpdateAsync(set => set.SetProperty(r => r.Name, r => r.Name), cancellationToken);
        if (await endpoints.Of(receiverId).CountAsync(cancellationToken) >= settings.MaxEndpoints)
        {
            return Problems.Of(
                StatusCodes.Status409Conflict, "too-many-endpoints", $"You have {settings.MaxEndpoints} endpoints, the most there may be.");
        }

        await RefuseForbidden(request, receiverId, db, cancellationToken);
        var (id, key, now) = (NewId.NextGuid(), WebhookSecret.Create(), time.UtcNow());
        var endpoint = new WebhookEndpoint
        {
            Id = id,
            ReceiverId = receiverId,
            Url = request.Url!,
            EventTypes = "",
            Secret = box.Seal(id, key),
            CreatedAt = now,
            UpdatedAt = now,
        };
        endpoints.Apply(request, endpoint);
        db.Endpoints.Add(endpoint);
        await db.SaveChangesAsync(cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        EndpointBook.SetTag(response, endpoint);
        return TypedResults.Created($"/v1{Path}/{id}", endpoints.Show(endpoint, key));
    }

    private static async Task<Page<EndpointView>> List(
        ClaimsPrincipal caller, EndpointBook endpoints, CancellationToken cancellationToken)
    {
        var rows = await endpoints.Of(caller.ReceiverId()).AsNoTracking()
            .OrderBy(e => e.CreatedAt).ThenBy(e => e.Id)
            .ToListAsync(cancellationToken);
        return new Page<EndpointView>(rows.ConvertAll(row => endpoints.Show(row)), Next: null);
    }

    private static async Task<IResult> Find(
        Guid id, ClaimsPrincipal caller, HttpResponse response, EndpointBook endpoints, CancellationToken cancellationToken)
    {
        if (await endpoints.Find(caller.ReceiverId(), id, cancellationToken) is not { } endpoint)
        {
            return EndpointBook.NotFound();
        }

        EndpointBook.SetTag(response, endpoint);
        return TypedResults.Ok(endpoints.Show(endpoint));
    }

    private static async Task<IResult> Patch(
        Guid id,
        JsonElement body,
        ClaimsPrincipal caller,
        HttpRequest request,
        NotificationsDb db,
        EndpointBook endpoints,
        IValidator<EndpointSettings> validator,
        CancellationToken cancellationToken)
    {
        var receiverId = caller.ReceiverId();
        if (await endpoints.Find(receiverId, id, cancellationToken) is not { } current)
        {
            return EndpointBook.NotFound();
        }

        // Read as an element, which knows of members that come twice; an object finds out later, and throws.
        if (body.ValueKind != JsonValueKind.Object)
        {
            throw new BadHttpRequestException("A merge patch is an object.");
        }

        var patch = JsonObject.Create(body)!;
        var named = patch.Select(member => member.Key).Where(name => !SettingNames.Contains(name)).ToList();
        if (named.Count > 0)
        {
            return Problems.Validation(named.ToDictionary(name => name, _ => (string[])[$"is not one of {string.Join(", ", SettingNames)}."], StringComparer.Ordinal));
        }

        // Refused before anything is locked. What is changed meanwhile is merged with below, and each field is valid by itself.
        var merged = Merge(endpoints.SettingsOf(current), patch);
        var result = await validator.ValidateAsync(merged, cancellationToken);
        if (!result.IsValid)
        {
            return Validation.Problem(result);
        }

        await RefuseForbidden(merged, receiverId, db, cancellationToken);
        return await endpoints.Change(
            request,
            receiverId,
            id,
            endpoint => endpoints.Apply(Merge(endpoints.SettingsOf(endpoint), patch), endpoint, setsHeaders: patch.ContainsKey(Headers)),
            endpoint => TypedResults.Ok(endpoints.Show(endpoint)),
            cancellationToken);
    }

    private static Task<IResult> Delete(
        Guid id, ClaimsPrincipal caller, HttpRequest request, EndpointBook endpoints, CancellationToken cancellationToken) =>
        endpoints.Change(
            request,
            caller.ReceiverId(),
            id,
            endpoint => endpoint.State = EndpointState.Deleted,
            _ => TypedResults.NoContent(),
            cancellationToken);

    private static async Task RefuseForbidden(
        EndpointSettings settings, Guid receiverId, NotificationsDb db, CancellationToken cancellationToken)
    {
        var allowed = await db.Receivers.Where(r => r.Id == receiverId).Select(r => r.EventTypes).SingleAsync(cancellationToken);
        if (EventTypeList.Read(allowed) is { } types && settings.EventTypes!.Except(types, StringComparer.Ordinal).FirstOrDefault() is { } other)
        {
            throw new InvalidInputException("eventTypes", $"must not hold {other}, which you are not told of.");
        }
    }

    private static EndpointSettings Merge(EndpointSettings settings, JsonObject patch)
    {
        var merged = JsonSerializer.SerializeToNode(settings, Exact)!.AsObject();
        JsonMerge.Apply(patch, merged);
        try
        {
            return merged.Deserialize<EndpointSettings>(Exact)!;
        }
        catch (JsonException exception)
        {
            throw new InvalidInputException(exception.Path?.TrimStart('$').TrimStart('.') ?? "", "is not a value that belongs here.");
        }
    }
}
