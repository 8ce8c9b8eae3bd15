using System.Diagnostics;

namespace Outbox.Testing;

/// <summary>
/// A process that a test owns: its output is kept, signals go to its own id, and it does not outlive the test run.
/// </summary>
public sealed class ChildProcess : IAsyncDisposable
{
    private const int OutputLines = 2_000;

    private readonly Process _process;
    private readonly TaskCompletionSource _exited = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private readonly TaskCompletionSource _outputEnded = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _errorEnded = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private ChildProcess(Process process)
    {
        _process = process;
        process.OutputDataReceived += (_, line) => Keep(line.Data, _outputEnded);
        process.ErrorDataReceived += (_, line) => Keep(line.Data, _errorEnded);
        process.Exited += (_, _) =>
        {
            Leftovers.Forget(Id);
            _exited.TrySetResult();
        };
    }

    /// <summary>The operating system's id of the process.</summary>
    public int Id { get; private set; }

    /// <summary>Whether the process has ended.</summary>
    public bool HasExited => _exited.Task.IsCompleted;

    /// <summary>Completes when it has ended and its last line was read (its children, if any, included).</summary>
    public Task Ended => Task.WhenAll(_exited.Task, _outputEnded.Task, _errorEnded.Task);

    /// <summary>The exit code; null while the process runs.</summary>
    public int? ExitCode => HasExited ? _process.ExitCode : null;

    /// <summary>The last lines of what it printed, on standard output and standard error together.</summary>
    public SignalLog<string> Output { get; } = new(OutputLines);

    /// <summary>Starts a process with an empty standard input.</summary>
    /// <param name="fileName">The program.</param>
    /// <param name="arguments">Its arguments, one each.</param>
    /// <param name="environment">Variables added to this process's own; null removes one.</param>
    /// <param name="workingDirectory">Where it starts; by default where this process is.</param>
    /// <param name="endedBy">The signal that ends it when the test run dies before it.</param>
    public static ChildProcess Start(
        string fileName,
        IEnumerable<string> arguments,
        IReadOnlyDictionary<string, string?>? environment = null,
        string? workingDirectory = null,
        UnixSignal endedBy = UnixSignal.Kill)
    {
        var start = StartInfo(fileName, arguments, environment);
        start.WorkingDirectory = workingDirectory ?? "";
        var child = new ChildProcess(new Process { StartInfo = start, EnableRaisingEvents = true });
        child.Begin(endedBy);
        return child;
    }

    /// <summary>Runs a command to its end and returns what it printed; another exit code than 0 throws.</summary>
    /// <param name="fileName">The program.</param>
    /// <param name="arguments">Its arguments, one each.</param>
    /// <param name="environment">Variables added to this process's own; null removes one.</param>
    /// <param name="standardInput">What it reads.</param>
    /// <param name="limit">After how long it is killed, with its children; by default never.</param>
    /// <exception cref="TimeoutException">It was killed.</exception>
    public static async Task<string> RunAsync(
        string fileName,
        IEnumerable<string> arguments,
        IReadOnlyDictionary<string, string?>? environment = null,
        string standardInput = "",
        TimeSpan? limit = null)
    {
        var start = StartInfo(fileName, arguments, environment);
        using var process = Process.Start(start) ?? throw new InvalidOperationException($"{fileName} could not be started.");
        var output = process.StandardOutput.ReadToEndAsync();
        var error = process.StandardError.ReadToEndAsync();
        await process.StandardInput.WriteAsync(standardInput);
        process.StandardInput.Close();
        try
        {
            await process.WaitForExitAsync().WaitAsync(limit ?? Timeout.InfiniteTimeSpan, TimeProvider.System);
        }
        catch (TimeoutException timeout)
        {
            process.Kill(entireProcessTree: true);
            throw new TimeoutException($"{string.Join(' ', arguments.Prepend(fileName))} should have ended within {limit}.", timeout);
        }

        return process.ExitCode == 0
            ? await output
            : throw new InvalidOperationException(
                $"{fileName} ended with {process.ExitCode} instead of 0. It printed:\n{await output}{await error}");
    }

    /// <summary>Sends a signal; a process that has ended does not mind.</summary>
    public void Send(UnixSignal signal)
    {
        if (HasExited)
            return;
        if (OperatingSystem.IsWindows() && signal is UnixSignal.Kill)
            _process.Kill();
        else
            UnixSignals.Send(Id, signal);
    }

    /// <summary>Waits for the end; over the limit (default <see cref="Eventually.Limit"/>) it throws.</summary>
    public async Task WaitForExitAsync(TimeSpan? limit = null)
    {
        try
        {
            await _exited.Task.WaitAsync(limit ?? Eventually.Limit, TimeProvider.System);
        }
        catch (TimeoutException timeout)
        {
            throw new TimeoutException(
                $"Process {Id} ({_process.StartInfo.FileName}) should have ended and still runs.{Tail()}", timeout);
        }
    }

    /// <summary>Sends the signal and waits; a process that ignores it is killed after the limit.</summary>
    public async Task StopAsync(UnixSignal signal = UnixSignal.Terminate, TimeSpan? limit = null)
    {
        Send(UnixSignal.Continue);
        Send(signal);
        try
        {
            await WaitForExitAsync(limit);
        }
        finally
        {
            Send(UnixSignal.Kill);
        }
    }

    /// <summary>Ends the process at once (SIGKILL) and waits until it is gone.</summary>
    public Task KillAsync()
    {
        Send(UnixSignal.Kill);
        return WaitForExitAsync();
    }

    /// <summary>The last lines of the output, for an error message.</summary>
    public string Tail(int lines = 30) => $" Its last lines:\n{string.Join('\n', Output.Values.TakeLast(lines))}";

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await KillAsync();
        _process.Dispose();
    }

    private static ProcessStartInfo StartInfo(
        string fileName, IEnumerable<string> arguments, IReadOnlyDictionary<string, string?>? environment)
    {
        var start = new ProcessStartInfo(fileName, arguments)
        {
            UseShellExecute = false,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (var (name, value) in environment ?? new Dictionary<string, string?>(StringComparer.Ordinal))
            start.Environment[name] = value;
        return start;
    }

    private void Begin(UnixSignal endedBy)
    {
        _process.Start();
        Id = _process.Id;
        Leftovers.Watch(_process, endedBy);
        if (_process.HasExited)
            Leftovers.Forget(Id);
        _process.StandardInput.Close();
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
    }

    private void Keep(string? line, TaskCompletionSource ended)
    {
        if (line is null)
            ended.TrySetResult();
        else
            Output.Add(line);
    }
}
