namespace Local;

/// <summary>What to try, printed once the process answers.</summary>
internal static class Tour
{
    public static void PrintTour(this WebApplication app) => app.Lifetime.ApplicationStarted.Register(() =>
    {
        var address = app.Urls.First();
        var data = app.Services.GetRequiredService<DataFolder>();
        Console.WriteLine(
            $$"""

            Everything is running at {{address}}, with its data in {{data.Folder}}.
            Register somebody, and look what becomes of it:

              curl -i {{address}}/users -H 'Content-Type: application/json' \
                   -d '{"userName":"ada","email":"ada@example.com"}'
              curl {{address}}/users
              curl {{address}}/accounts/<the user's id>

            Buy points, from a payment provider that is simulated; make it fail in between, and look who finds out:

              curl -i {{address}}/users/<the user's id>/top-ups -H 'Content-Type: application/json' -d '{"amount":500}'
              curl -X PUT {{address}}/simulators/payments/behaviour -H 'Content-Type: application/json' \
                   -d '{"mode":"charge-then-hang","times":3}'
              curl {{address}}/users/<the user's id>/top-ups
              curl {{address}}/simulators/payments/total

            And what a receiver is told of it all:

              curl {{address}}/v1/notifications -H 'Authorization: Bearer {{data.ReceiverKey}}'

            {{OperatorKey(data)}}Stop it with Ctrl+C, or as rudely as you like: nothing is lost.

            """);
    });

    // Told once: later it is in its file only.
    private static string OperatorKey(DataFolder data) => data.HasNewOperatorKey
        ? $"The operator's key for /v1/receivers, shown this once: {data.OperatorKey}\n\n"
        : "";
}
