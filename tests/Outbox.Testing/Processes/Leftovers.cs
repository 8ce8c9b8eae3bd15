using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using MassTransit;

namespace Outbox.Testing;

/// <summary>
/// What a test run would leave behind (processes, files). It is cleared when this process ends; and should it die
/// without a word, by a small shell that reads from a pipe held by this process: the pipe closes, and the shell
/// ends the processes that are still registered and removes the run's folder.
/// </summary>
internal static class Leftovers
{
    private const string Sweep =
        """
        trap '' HUP INT TERM
        exec >/dev/null 2>&1
        cat
        runs() { kill -0 "$1" && ! grep -q ') Z ' "/proc/$1/stat"; }
        for will in "$1"/processes/*; do
          [ -f "$will" ] || continue
          kill -CONT "${will##*/}"
          kill -"$(cat "$will")" "${will##*/}"
        done
        for will in "$1"/processes/*; do
          [ -f "$will" ] || continue
          tries=0
          while runs "${will##*/}" && [ $tries -lt 50 ]; do sleep 0.1; tries=$((tries + 1)); done
          runs "${will##*/}" && kill -9 "${will##*/}"
        done
        rm -rf "$1"
        """;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);
    private static readonly ConcurrentDictionary<int, (Process Process, UnixSignal EndedBy)> Running = new();
    private static readonly Lazy<string> Root = new(CreateRoot);

    // Held, because its standard input closes when it is collected.
    private static Process? _sweeper;

    /// <summary>A new folder that every user may write into (servers run as users of their own).</summary>
    public static string NewFolder(string prefix)
    {
        var folder = Path.Combine(Root.Value, $"{prefix}-{NewId.NextGuid():N}");
        CreateSharedFolder(folder);
        return folder;
    }

    /// <summary>Has the process ended by <paramref name="signal"/> when this one is gone.</summary>
    public static void Watch(Process process, UnixSignal signal)
    {
        File.WriteAllText(WillOf(process.Id), UnixSignals.NumberOf(signal).ToString(CultureInfo.InvariantCulture));
        Running[process.Id] = (process, signal);
    }

    /// <summary>The process has ended: its id may soon be somebody else's.</summary>
    public static void Forget(int processId)
    {
        Running.TryRemove(processId, out _);
        File.Delete(WillOf(processId));
    }

    private static string WillOf(int processId) =>
        Path.Combine(Root.Value, "processes", processId.ToString(CultureInfo.InvariantCulture));

    private static string CreateRoot()
    {
        var root = Path.Combine(Path.GetTempPath(), $"outbox-tests-{NewId.NextGuid():N}");
        CreateSharedFolder(root);
        Directory.CreateDirectory(Path.Combine(root, "processes"));

        AppDomain.CurrentDomain.ProcessExit += (_, _) => Clear(root);
        if (!OperatingSystem.IsWindows())
        {
            var start = new ProcessStartInfo("/bin/sh", ["-c", Sweep, "sh", root]) { UseShellExecute = false, RedirectStandardInput = true };
            _sweeper = Process.Start(start);
        }

        return root;
    }

    private static void Clear(string root)
    {
        foreach (var (process, endedBy) in Running.Values)
        {
            UnixSignals.Send(process.Id, UnixSignal.Continue);
            UnixSignals.Send(process.Id, endedBy);
        }

        foreach (var (process, _) in Running.Values)
        {
            if (!process.WaitForExit(Patience))
                process.Kill();
        }

        Directory.Delete(root, recursive: true);
        _sweeper?.Kill();
        _sweeper?.WaitForExit();
    }

    private static void CreateSharedFolder(string folder)
    {
        Directory.CreateDirectory(folder);
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute
                | UnixFileMode.GroupRead | UnixFileMode.GroupWrite | UnixFileMode.GroupExecute
                | UnixFileMode.OtherRead | UnixFileMode.OtherWrite | UnixFileMode.OtherExecute);
    }
}
