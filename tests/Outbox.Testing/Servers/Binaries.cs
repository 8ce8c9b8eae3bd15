using System.Globalization;

namespace Outbox.Testing;

/// <summary>Finds programs on this machine.</summary>
internal static class Binaries
{
    /// <summary>The path of the program in PATH, links followed; null where there is none.</summary>
    public static string? InPath(string name) =>
        (Environment.GetEnvironmentVariable("PATH") ?? "")
            .Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries)
            .Select(folder => Path.Combine(folder, name))
            .Where(File.Exists)
            .Select(path => new FileInfo(path).ResolveLinkTarget(returnFinalTarget: true)?.FullName ?? path)
            .FirstOrDefault(File.Exists);

    /// <summary>
    /// The path of <paramref name="inside"/> in the subfolder of <paramref name="folder"/> with the highest version
    /// in its name, or null: <c>/usr/lib/postgresql</c>, <c>*</c>, <c>bin/initdb</c>.
    /// </summary>
    public static string? InNewest(string folder, string pattern, string inside) =>
        !Directory.Exists(folder)
            ? null
            : Directory.EnumerateDirectories(folder, pattern)
                .Where(version => File.Exists(Path.Combine(version, inside)))
                .OrderByDescending(VersionOf)
                .Select(version => Path.Combine(version, inside))
                .FirstOrDefault();

    private static Version VersionOf(string folder)
    {
        var number = Path.GetFileName(folder).Split('-')[^1];
        if (Version.TryParse(number, out var version))
            return version;
        return int.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out var major) ? new Version(major, 0) : new Version(0, 0);
    }
}
