namespace Outbox.Testing;

/// <summary>PostgreSQL's programs on this machine, and the user they may run as.</summary>
internal sealed record PostgresBinaries(string Folder)
{
    /// <summary>The programs in PATH, else the newest of those that Debian keeps beside it; null when there are none.</summary>
    public static PostgresBinaries? Find()
    {
        var initdb = Binaries.InPath("initdb") ?? Binaries.InNewest("/usr/lib/postgresql", "*", "bin/initdb");
        return initdb is null ? null : new PostgresBinaries(Path.GetDirectoryName(initdb)!);
    }

    /// <summary>The command line of a program; PostgreSQL refuses to run as root, so root becomes somebody else.</summary>
    public (string FileName, string[] Arguments) Command(string program, params string[] arguments)
    {
        var path = Path.Combine(Folder, program);
        if (!Environment.IsPrivilegedProcess)
            return (path, arguments);

        // setpriv replaces itself by the program, so that the process started is the server and takes its signals.
        var (user, group) = UnprivilegedUser();
        return ("setpriv", [$"--reuid={user}", $"--regid={group}", "--clear-groups", "--", path, .. arguments]);
    }

    private static (string User, string Group) UnprivilegedUser()
    {
        // name:password:user id:group id:...
        var users = File.ReadLines("/etc/passwd").Select(line => line.Split(':')).Where(fields => fields.Length > 3).ToArray();
        var user = users.FirstOrDefault(fields => fields[0] == "postgres") ?? users.First(fields => fields[0] == "nobody");
        return (user[2], user[3]);
    }
}
