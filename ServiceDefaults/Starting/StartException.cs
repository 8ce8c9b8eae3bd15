namespace ServiceDefaults;

/// <summary>
/// The service cannot start, and its operator can do something about it. The message is the one line they get:
/// it names the setting, what was expected and what was found, never a secret.
/// </summary>
public sealed class StartException : Exception
{
    /// <inheritdoc cref="StartException"/>
    public StartException(string message) : base(message)
    {
    }

    /// <inheritdoc cref="StartException"/>
    public StartException(string message, Exception innerException) : base(message, innerException)
    {
    }
}
