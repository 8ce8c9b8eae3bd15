using Notifications;
using ServiceDefaults;

namespace Local;

/// <summary>Where everything is kept: a database per module and its keys. One process at a time works in it.</summary>
public sealed class DataFolder : IStartStep, IDisposable
{
    private const string OperatorKeyFile = "operator.key";

    private FileStream? taken;

    public DataFolder(string path)
    {
        Folder = Path.GetFullPath(path);
        try
        {
            Directory.CreateDirectory(Folder);
            ReceiverKey = ReadOrCreate("receiver.key", ApiKey.Create);
            HasNewOperatorKey = !File.Exists(Path.Combine(Folder, OperatorKeyFile));
            OperatorKey = ReadOrCreate(OperatorKeyFile, Notifications.OperatorKey.Create);
            EncryptionKey = ReadOrCreate("encryption.key", EncryptionKeys.Create);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new StartException($"LOCAL_DATA is '{path}', which cannot be written to: {exception.Message}", exception);
        }
    }

    public string Folder { get; }

    /// <summary>The API key of the receiver <c>default</c>; readable by its owner only.</summary>
    public string ReceiverKey { get; }

    /// <summary>The operator's key for notifications; readable by its owner only.</summary>
    public string OperatorKey { get; }

    /// <summary>Whether that key was made now, and is to be told.</summary>
    public bool HasNewOperatorKey { get; }

    /// <summary>What secrets in the database are sealed with; readable by its owner only.</summary>
    public string EncryptionKey { get; }

    public string Database(string name) => $"Data Source={Path.Combine(Folder, name)}.db";

    /// <summary>Takes the folder. The system gives it back the moment this process ends, however it ends.</summary>
    public Task Run(CancellationToken cancellationToken)
    {
        try
        {
            taken = new FileStream(
                Path.Combine(Folder, "local.lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
            return Task.CompletedTask;
        }
        catch (IOException exception)
        {
            throw new StartException($"another process works in {Folder}. LOCAL_DATA names another folder.", exception);
        }
    }

    public void Dispose() => taken?.Dispose();

    private string ReadOrCreate(string name, Func<string> create)
    {
        var file = Path.Combine(Folder, name);
        if (!File.Exists(file))
        {
            var options = new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write };
            if (!OperatingSystem.IsWindows())
            {
                options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
            }

            // Written aside and moved, so that a process that is killed here leaves no half a key.
            var unfinished = file + ".new";
            File.Delete(unfinished);
            using (var writer = new StreamWriter(unfinished, options))
            {
                writer.Write(create());
            }

            File.Move(unfinished, file, overwrite: true);
        }

        return File.ReadAllText(file).Trim();
    }
}
