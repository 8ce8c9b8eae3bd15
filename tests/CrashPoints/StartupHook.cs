using System.Diagnostics;
using CrashPoints;

/// <summary>
/// Loaded into a service by <c>DOTNET_STARTUP_HOOKS</c>, before its own first line. It listens to what the framework
/// reports of itself, and ends or stops the process at a named point: the service has no code for it.
/// </summary>
#pragma warning disable MA0047 // The runtime looks for it outside of every namespace.
internal static class StartupHook
#pragma warning restore MA0047
{
    public static void Initialize()
    {
        if (Environment.GetEnvironmentVariable("OUTBOX_CRASH_FILE") is { Length: > 0 } file)
        {
            DiagnosticListener.AllListeners.Subscribe(new Watch(new Trap(file)));
        }
    }
}
