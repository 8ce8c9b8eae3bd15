namespace Outbox.Testing;

/// <summary>PostgreSQL's programs on this machine, and the user they may run as.</summary>
internal sealed record PostgresBinaries(string Folder)
{
    /// <summary>The programs in PATH, else the newest of those that Debian keeps beside it; null when there are none.</summary>
    public static PostgresBinaries? Find()
    {
        var initdb = Binaries.InPath("initdb") ?? Binaries.InNewest("/usr/lib/postgresql", "*", "bin/initdb");
        return initdb is null ? null : new PostgresBinaries(Path.GetDirectoryName(Resolve(initdb))!);
    }

    /// <summary>The command line of a program; PostgreSQL refuses to run as root, so root becomes somebody else.</summary>
    public (string FileName, string[] Arguments) Command(string program, params string[] arguments)
    {
        var path = Path.Combine(Folder, program);
        if (!Environment.IsPrivilegedProcess)
            return (path, arguments);

        // setpriv replaces itself by the program, so that the process started is the server and takes its signals.
        var user = UserExists("postgres") ? "postgres" : "nobody";
        return ("setpriv", [$"--reuid={user}", $"--regid={user}", "--clear-groups", "--", path, .. arguments]);
    }

    private static bool UserExists(string name) =>
        File.ReadLines("/etc/passwd").Any(line => line.StartsWith($"{name}:", StringComparison.Ordinal));

    private static string Resolve(string path) => new FileInfo(path).ResolveLinkTarget(returnFinalTarget: true)?.FullName ?? path;
}
