using System.Text.Json;
using ServiceDefaults;

namespace Simulators;

/// <summary>What happened, a line of JSON each, on the disk before it is answered.</summary>
/// <remarks>
/// A process that is killed while it writes leaves half a line at the end, which nobody was told of: it is cut off at
/// the next opening. Callers keep their own lock.
/// </remarks>
internal sealed class Journal<TEntry> : IDisposable
{
    private readonly FileStream file;

    /// <exception cref="StartException">The file cannot be written to, or another process works with it.</exception>
    public Journal(string path)
    {
        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!);
            file = new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new StartException(
                $"{path} cannot be written to: {exception.Message} {Settings.EnvironmentName(SimulatorsModule.Folder)} names another folder.", exception);
        }
    }

    /// <summary>Everything that was added so far, in its order. To be read to the end before anything is added.</summary>
    public IEnumerable<TEntry> Read()
    {
        var bytes = new byte[file.Length];
        file.Position = 0;
        file.ReadExactly(bytes);
        var start = 0;
        for (var end = Array.IndexOf(bytes, (byte)'\n'); end >= 0; end = Array.IndexOf(bytes, (byte)'\n', start))
        {
            yield return JsonSerializer.Deserialize<TEntry>(bytes.AsSpan(start, end - start), JsonSerializerOptions.Web)!;
            start = end + 1;
        }

        file.SetLength(start);
        file.Position = start;
    }

    /// <summary>Adds an entry; when it returns, the entry outlives this process and its machine.</summary>
    public void Add(TEntry entry)
    {
        file.Write([.. JsonSerializer.SerializeToUtf8Bytes(entry, JsonSerializerOptions.Web), (byte)'\n']);
        file.Flush(flushToDisk: true);
    }

    public void Dispose() => file.Dispose();
}
