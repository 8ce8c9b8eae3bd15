using System.Net;

namespace Outbox.Testing;

/// <summary>A service as a process of its own, from its built assembly: to kill it, pause it, stop it and start it again.</summary>
public sealed class ServiceProcess : IAsyncDisposable
{
    private static readonly HttpClient Http = new() { Timeout = TimeSpan.FromSeconds(5) };

    private readonly ChildProcess _process;

    private ServiceProcess(ChildProcess process) => _process = process;

    /// <summary>The process: its id, its exit code, its signals.</summary>
    public ChildProcess Process => _process;

    /// <summary>The last lines that it printed.</summary>
    public SignalLog<string> Output => _process.Output;

    /// <summary>Starts <c>dotnet assembly arguments</c>.</summary>
    /// <param name="assembly">The path of the built assembly; <see cref="AssemblyOf"/> finds one of this solution.</param>
    /// <param name="environment">Variables such as <c>ASPNETCORE_URLS</c>, added to this process's own.</param>
    /// <param name="arguments">Arguments of the service.</param>
    public static ServiceProcess Start(
        string assembly, IReadOnlyDictionary<string, string?>? environment = null, params string[] arguments)
    {
        if (!File.Exists(assembly))
            throw new FileNotFoundException($"Expected the built service {assembly}; build the solution first.", assembly);

        // Its own folder, where its appsettings.json lies.
        return new ServiceProcess(ChildProcess.Start(
            Environment.ProcessPath is { } host && Path.GetFileNameWithoutExtension(host) == "dotnet" ? host : "dotnet",
            [assembly, .. arguments],
            environment,
            Path.GetDirectoryName(Path.GetFullPath(assembly))));
    }

    /// <summary>The assembly of a project of this solution, built in the same configuration as the running tests.</summary>
    /// <param name="project">The project's folder under the root: <c>Users.Api</c>.</param>
    public static string AssemblyOf(string project)
    {
        // .../tests/Outbox.ConformanceTests/bin/Debug/net10.0/
        var output = new DirectoryInfo(AppContext.BaseDirectory.TrimEnd(Path.DirectorySeparatorChar));
        var root = output;
        while (!File.Exists(Path.Combine(root.FullName, "Outbox.sln")))
            root = root.Parent ?? throw new InvalidOperationException($"Outbox.sln is in no folder above {output.FullName}.");
        return Path.Combine(root.FullName, project, "bin", output.Parent!.Name, output.Name, $"{Path.GetFileName(project)}.dll");
    }

    /// <summary>Waits for a line that it printed or will print.</summary>
    public async Task<string> WaitForLine(Func<string, bool> predicate, TimeSpan? limit = null)
    {
        var line = Output.WaitFor(predicate, limit);
        await Task.WhenAny(line, _process.Ended);
        return line.IsCompleted
            ? await line
            : throw new InvalidOperationException($"The service ended with {_process.ExitCode} before the line came.{_process.Tail()}");
    }

    /// <summary>Waits until the address answers with a success.</summary>
    public async Task WaitForHealthAsync(Uri url, TimeSpan? limit = null)
    {
        await Eventually.Is(async () => _process.HasExited || await AnswersAsync(url), limit);
        if (_process.HasExited)
            throw new InvalidOperationException($"The service ended with {_process.ExitCode} before {url} answered.{_process.Tail()}");
    }

    /// <summary>Ends it at once (SIGKILL).</summary>
    public Task KillAsync() => _process.KillAsync();

    /// <summary>Asks it to stop (SIGTERM) and waits; one that does not in time fails the test and is killed.</summary>
    public Task StopAsync(TimeSpan? limit = null) => _process.StopAsync(UnixSignal.Terminate, limit);

    /// <summary>Pauses it (SIGSTOP): no thread runs, connections stay open.</summary>
    public void Suspend() => _process.Send(UnixSignal.Stop);

    /// <summary>Lets it go on after <see cref="Suspend"/>.</summary>
    public void Resume() => _process.Send(UnixSignal.Continue);

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => _process.DisposeAsync();

    private static async Task<bool> AnswersAsync(Uri url)
    {
        using var answer = await Http.GetAsync(url);
        return answer.StatusCode is HttpStatusCode.OK or HttpStatusCode.NoContent;
    }
}
