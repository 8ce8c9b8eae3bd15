namespace Outbox.Testing;

/// <summary>
/// Ends or stops a service at a named point, by a hook that the runtime loads into it (tests/CrashPoints); the
/// service has no code for it. The points of a top-up: <c>after-prepare</c>, <c>before-charge</c>, <c>after-charge</c>,
/// <c>after-commit</c>; of a webhook's first attempt: <c>before-acceptance</c>, <c>after-acceptance</c> (not committed yet), <c>accepted</c>;
/// of a later one: <c>before-take</c>, <c>after-take</c>; of each: <c>before-outcome</c>, <c>after-outcome</c> (not committed yet), <c>after-record</c>.
/// </summary>
/// <param name="file">Where the hook looks for what to do.</param>
public sealed class CrashPoint(string file)
{
    /// <summary>The environment that loads the hook.</summary>
    public IEnumerable<KeyValuePair<string, string?>> Environment =>
    [
        new("DOTNET_STARTUP_HOOKS", ServiceProcess.AssemblyOf("tests/CrashPoints")),
        new("OUTBOX_CRASH_FILE", file),
    ];

    /// <summary>Whether the process has come to the point.</summary>
    public bool IsReached => File.Exists(file + ".sprung");

    /// <summary>The next time that the process comes to the point, it is killed (SIGKILL).</summary>
    public void KillAt(string point) => Arm($"{point} kill");

    /// <summary>The next time that the process comes to the point, it is paused (SIGSTOP).</summary>
    public void PauseAt(string point) => Arm($"{point} stop");

    /// <summary>Whatever was wanted is wanted no more.</summary>
    public void Disarm() => File.Delete(file);

    private void Arm(string what)
    {
        File.Delete(file + ".sprung");

        // At once, or the hook would read half of it.
        File.WriteAllText(file + ".new", what);
        File.Move(file + ".new", file, overwrite: true);
    }
}
