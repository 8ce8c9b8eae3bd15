namespace Outbox.Databases;

/// <summary>
/// Where a database is a file, one process owns it: by an operating-system lock on a file beside it, which is free the
/// moment the process dies.
/// </summary>
internal sealed class DatabaseFileLock(RelayConnection connection) : IDisposable
{
    private FileStream? _lock;

    /// <summary>Whether this process has the file to itself.</summary>
    public bool IsHeld => _lock is not null;

    /// <summary>Takes the lock where there is a file to lock.</summary>
    /// <returns>The reason why not: another process has it, or this one may not write there. Otherwise <see langword="null"/>.</returns>
    public async Task<Exception?> TryTake(CancellationToken cancellationToken)
    {
        if (_lock is not null || connection.Dialect.DatabaseFile is not { } sql)
            return null;

        string? file = null;
        await connection.Query(
            sql,
            _ => { },
            async reader => file = await reader.ReadAsync(cancellationToken).ConfigureAwait(false) ? reader.GetString(0) : null,
            cancellationToken).ConfigureAwait(false);
        if (string.IsNullOrEmpty(file))
            return null;

        try
        {
            _lock = new FileStream($"{file}.outbox.lock", FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
            return null;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return exception;
        }
    }

    public void Dispose()
    {
        _lock?.Dispose();
        _lock = null;
    }
}
