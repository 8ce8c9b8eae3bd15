using System.Runtime.InteropServices;

namespace Outbox.Testing;

/// <summary>What can be sent to a process to stop, kill, pause or continue it.</summary>
public enum UnixSignal
{
    /// <summary>SIGINT: stop now, in good order. PostgreSQL calls it a fast shutdown.</summary>
    Interrupt,

    /// <summary>SIGQUIT: stop without cleaning up. PostgreSQL recovers from its log at the next start.</summary>
    Quit,

    /// <summary>SIGTERM: please stop.</summary>
    Terminate,

    /// <summary>SIGKILL: gone, with no chance to do anything about it.</summary>
    Kill,

    /// <summary>SIGSTOP: paused until <see cref="Continue"/>; sockets stay open and nobody answers.</summary>
    Stop,

    /// <summary>SIGCONT: goes on after <see cref="Stop"/>.</summary>
    Continue,
}

/// <summary>Sends signals to processes, by their own id only.</summary>
internal static partial class UnixSignals
{
    public static void Send(int processId, UnixSignal signal)
    {
        // kill(0) and kill(-1) reach whole groups of processes: never what a test means.
        ArgumentOutOfRangeException.ThrowIfLessThan(processId, 2);
        if (Kill(processId, NumberOf(signal)) == 0)
            return;

        const int noSuchProcess = 3;
        var error = Marshal.GetLastPInvokeError();
        if (error != noSuchProcess)
            throw new InvalidOperationException($"{signal} was not delivered to process {processId}: {Marshal.GetPInvokeErrorMessage(error)}.");
    }

    public static int NumberOf(UnixSignal signal) => signal switch
    {
        UnixSignal.Interrupt => 2,
        UnixSignal.Quit => 3,
        UnixSignal.Kill => 9,
        UnixSignal.Terminate => 15,
        UnixSignal.Stop => OperatingSystem.IsMacOS() ? 17 : 19,
        UnixSignal.Continue => OperatingSystem.IsMacOS() ? 19 : 18,
        _ => throw new ArgumentOutOfRangeException(nameof(signal), signal, message: null),
    };

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Kill(int processId, int signal);
}
