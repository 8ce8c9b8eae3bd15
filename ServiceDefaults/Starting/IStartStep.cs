namespace ServiceDefaults;

/// <summary>Work that must be done before a service answers its first request or takes its first message.</summary>
/// <remarks>Steps run in the order of their registration, while the endpoints are mapped. A <see cref="StartException"/> stops the start.</remarks>
public interface IStartStep
{
    /// <summary>Does the work, once; every replica of the service does it at its own start.</summary>
    Task Run(CancellationToken cancellationToken);
}
