namespace Outbox.Testing;

/// <summary>Which way bytes flow through a <see cref="TcpProxy"/>.</summary>
[Flags]
public enum TcpDirection
{
    /// <summary>From the client to the server: requests.</summary>
    ToServer = 1,

    /// <summary>From the server to the client: answers, confirms. Stalled alone, the work is done and nobody hears of it.</summary>
    ToClient = 2,

    /// <summary>Both.</summary>
    Both = ToServer | ToClient,
}
