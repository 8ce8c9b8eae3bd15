using System.Text.Json;

namespace Users;

/// <summary>An answer as text, so that it can be stored and given again unchanged.</summary>
internal sealed record Answer(int Status, string Location, string Body) : IResult
{
    public static Answer Created<T>(string location, T body) => Of(StatusCodes.Status201Created, location, body);

    public static Answer Accepted<T>(string location, T body) => Of(StatusCodes.Status202Accepted, location, body);

    public Task ExecuteAsync(HttpContext httpContext)
    {
        httpContext.Response.Headers.Location = Location;
        return Results.Text(Body, "application/json; charset=utf-8", statusCode: Status).ExecuteAsync(httpContext);
    }

    private static Answer Of<T>(int status, string location, T body) =>
        new(status, location, JsonSerializer.Serialize(body, JsonSerializerOptions.Web));
}
