using System.Globalization;

namespace Outbox.Testing;

/// <summary>One replica of a service: always at the same address, whichever process answers there.</summary>
public sealed class ServiceReplica : IAsyncDisposable
{
    // A start loads assemblies, migrates and connects; on a busy machine that takes a while.
    private static readonly TimeSpan StartLimit = Eventually.Limit * 4;

    private readonly string _assembly;
    private readonly Dictionary<string, string?> _environment;
    private ServiceProcess? _process;

    /// <summary>Describes a replica; nothing is started yet.</summary>
    /// <param name="name">What reports call it.</param>
    /// <param name="project">The service's project folder.</param>
    /// <param name="portVariable">The environment variable that says where it listens, and what it is to hold.</param>
    /// <param name="environment">Its further settings.</param>
    public ServiceReplica(
        string name, string project, (string Name, string Format) portVariable, IReadOnlyDictionary<string, string?> environment)
    {
        var port = FreePort.Next();
        Name = name;
        Address = new Uri($"http://127.0.0.1:{port}");
        _assembly = ServiceProcess.AssemblyOf(project);
        _environment = new Dictionary<string, string?>(environment, StringComparer.Ordinal)
        {
            [portVariable.Name] = string.Format(CultureInfo.InvariantCulture, portVariable.Format, port),
            ["DOTNET_TieredPGO"] = "0",   // lives too briefly for what it would learn to pay
            ["Logging__Console__FormatterName"] = "simple",
            ["Logging__Console__FormatterOptions__SingleLine"] = "true",
        };
    }

    /// <summary>What reports call it.</summary>
    public string Name { get; }

    /// <summary>Where it answers.</summary>
    public Uri Address { get; }

    /// <summary>The process of the latest start.</summary>
    public ServiceProcess Process => _process ?? throw new InvalidOperationException($"{Name} was never started.");

    /// <summary>Whether it was started and its process lives.</summary>
    public bool IsRunning => _process is { Process.HasExited: false };

    /// <summary>Starts it, without waiting until it answers; one that runs already goes on.</summary>
    public void Start()
    {
        if (!IsRunning)
            _process = ServiceProcess.Start(_assembly, _environment);
    }

    /// <summary>Waits until it can work: its database answers. The broker may be away.</summary>
    public Task WaitUntilReadyAsync() => Process.WaitForHealthAsync(new Uri(Address, "/health/ready"), StartLimit);

    /// <summary>Ends it at once (SIGKILL).</summary>
    public Task KillAsync() => Process.KillAsync();

    /// <summary>Asks it to stop (SIGTERM) and waits until it has.</summary>
    public Task StopAsync() => Process.StopAsync(Eventually.Limit * 2);

    /// <summary>What it said last, for the message of a failure.</summary>
    public override string ToString() =>
        _process is null ? $"{Name} was never started." : $"{Name} ({(IsRunning ? "runs" : $"ended with {Process.Process.ExitCode}")}).{Process.Process.Tail(20)}";

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => _process?.DisposeAsync() ?? ValueTask.CompletedTask;
}
