using System.Globalization;
using Npgsql;

namespace Benchmarks;

/// <summary>
/// The CPU time of a run's own servers, by what Linux tells of processes: those that descend from PostgreSQL's postmaster or from
/// this process. Elsewhere none.
/// </summary>
/// <param name="postmaster">The postmaster's process id.</param>
internal sealed class ServersTime(int postmaster)
{
    private const double TicksPerSecond = 100;   // USER_HZ, as the kernel shows it everywhere

    public static async Task<ServersTime> OfAsync(string connectionString)
    {
        await using var source = NpgsqlDataSource.Create(connectionString);
        await using var command = source.CreateCommand("SELECT pg_backend_pid()");
        var backend = (int)(await command.ExecuteScalarAsync())!;
        return new ServersTime(Processes().FirstOrDefault(p => p.Id == backend).Parent);
    }

    /// <summary>So far, with what has ended.</summary>
    public TimeSpan Now()
    {
        var processes = Processes();
        HashSet<int> own = [postmaster, Environment.ProcessId];
        for (var before = 0; before < own.Count;)
        {
            before = own.Count;
            own.UnionWith(processes.Where(p => own.Contains(p.Parent)).Select(p => p.Id));
        }

        own.Remove(Environment.ProcessId);
        return TimeSpan.FromSeconds(processes.Where(p => own.Contains(p.Id)).Sum(p => p.Ticks) / TicksPerSecond);
    }

    private static List<(int Id, int Parent, long Ticks)> Processes()
    {
        var found = new List<(int, int, long)>();
        foreach (var folder in Directory.Exists("/proc") ? Directory.EnumerateDirectories("/proc") : [])
        {
            try
            {
                if (int.TryParse(Path.GetFileName(folder), NumberStyles.None, CultureInfo.InvariantCulture, out var id))
                {
                    // After the name, which may hold anything: state, parent, ...; user, system, children's user and system.
                    var text = File.ReadAllText(Path.Combine(folder, "stat"));
                    var fields = text[(text.LastIndexOf(')') + 2)..].Split(' ');
                    found.Add((id, int.Parse(fields[1], CultureInfo.InvariantCulture), fields[11..15].Sum(f => long.Parse(f, CultureInfo.InvariantCulture))));
                }
            }
            catch (IOException)
            {
                // It has ended meanwhile.
            }
        }

        return found;
    }
}
