using System.Text.Json;
using FluentValidation;
using FluentValidation.Results;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;

namespace ServiceDefaults;

/// <summary>Runs a request's validator before its endpoint.</summary>
public static class Validation
{
    /// <summary>
    /// Answers 400 with the errors by JSON name when <typeparamref name="TRequest"/> is not valid. An endpoint that takes null for it may
    /// be called without a body.
    /// </summary>
    public static RouteHandlerBuilder Validate<TRequest>(this RouteHandlerBuilder endpoint) =>
        endpoint.AddEndpointFilter(async (context, next) =>
        {
            if (context.Arguments.OfType<TRequest>().SingleOrDefault() is not { } request)
            {
                return await next(context);
            }

            var validator = context.HttpContext.RequestServices.GetRequiredService<IValidator<TRequest>>();
            var result = await validator.ValidateAsync(request, context.HttpContext.RequestAborted);
            return result.IsValid ? await next(context) : Problem(result);
        });

    /// <summary>400: what a validator found, by JSON name.</summary>
    public static IResult Problem(ValidationResult result) => Problems.Validation(ByJsonName(result.ToDictionary()));

    private static Dictionary<string, string[]> ByJsonName(IDictionary<string, string[]> errors) =>
        errors.ToDictionary(
            error => string.Join('.', error.Key.Split('.').Select(JsonNamingPolicy.CamelCase.ConvertName)),
            error => error.Value,
            StringComparer.Ordinal);
}
