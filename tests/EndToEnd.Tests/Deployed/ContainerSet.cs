using System.Globalization;
using Outbox.Testing;

namespace EndToEnd.Tests.Deployed;

/// <summary>The containers of a deployment, through Compose: to kill, cut off and scale them.</summary>
/// <param name="compose">The command, with its files and project: <c>docker compose -f compose.yaml</c>.</param>
internal sealed class ContainerSet(string compose)
{
    // A container is up within seconds; on a busy machine, with migrations to check, it takes a while.
    private static readonly TimeSpan StartLimit = Eventually.Limit * 4;

    // A question to the engine is answered within seconds, or never: an exec that ends while it is attached to can hang.
    private static readonly TimeSpan AnswerLimit = Eventually.Limit;

    /// <summary>Where each replica of a service answers; a port may be another after every start.</summary>
    public async Task<IReadOnlyList<Uri>> AddressesAsync(string service)
    {
        List<Uri> addresses = [];
        foreach (var id in await IdsAsync(service))
        {
            // "8080/tcp -> 127.0.0.1:5200"
            var port = await RunAsync($"docker port {id} 8080/tcp");
            addresses.Add(new Uri($"http://{port.Split('\n')[0].Trim()}"));
        }

        return addresses;
    }

    /// <summary>The ids of a service's containers.</summary>
    public async Task<IReadOnlyList<string>> IdsAsync(string service) =>
        (await RunAsync($"{compose} ps --quiet {service}")).Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);

    /// <summary>Ends one container at once (SIGKILL) and starts it again when the action has ended.</summary>
    public async Task KillAsync(string service, Func<Task> meanwhile)
    {
        var id = (await IdsAsync(service))[0];
        await RunAsync($"docker kill {id}");
        try
        {
            await meanwhile();
        }
        finally
        {
            await RunAsync($"docker start {id}", StartLimit);
            await WaitUntilHealthyAsync(id);
        }
    }

    /// <summary>Takes a service off the network while the action runs; its connections hang instead of closing.</summary>
    public async Task CutOffAsync(string service, Func<Task> meanwhile)
    {
        var id = (await IdsAsync(service))[0];
        var network = (await RunAsync(
            $"docker inspect --format '{{{{range $name, $_ := .NetworkSettings.Networks}}}}{{{{$name}}}}{{{{end}}}}' {id}")).Trim();
        await RunAsync($"docker network disconnect {network} {id}");
        try
        {
            await meanwhile();
        }
        finally
        {
            await RunAsync($"docker network connect --alias {service} {network} {id}");
            await WaitUntilHealthyAsync(id);
        }
    }

    /// <summary>Runs so many replicas of a service from now on; those that run are kept.</summary>
    public async Task ScaleAsync(string service, int replicas)
    {
        await RunAsync(string.Create(
            CultureInfo.InvariantCulture, $"{compose} up --detach --wait --no-deps --no-recreate --scale {service}={replicas} {service}"), StartLimit);
        (await IdsAsync(service)).Count.ShouldBe(replicas);
    }

    /// <summary>Runs a program in a service's container and returns what it prints.</summary>
    public Task<string> ExecuteAsync(string service, string command) => RunAsync($"{compose} exec -T {service} {command}");

    private static Task WaitUntilHealthyAsync(string id) => Eventually.Get(
        () => RunAsync($"docker inspect --format '{{{{.State.Health.Status}}}}' {id}"), state => state.Trim() == "healthy", StartLimit);

    private static Task<string> RunAsync(string command, TimeSpan? limit = null) =>
        ChildProcess.RunAsync("/bin/sh", ["-c", $"cd '{Root}' && {command}"], limit: limit ?? AnswerLimit);

    // Compose reads its files where they lie.
    private static string Root { get; } = FindRoot();

    private static string FindRoot()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder.FullName, "compose.yaml")))
            folder = folder.Parent ?? throw new InvalidOperationException($"compose.yaml is in no folder above {AppContext.BaseDirectory}.");
        return folder.FullName;
    }
}
