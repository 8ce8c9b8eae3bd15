namespace Outbox.Testing;

/// <summary>Open, one passes; closed, one waits until it is opened.</summary>
internal sealed class TcpGate
{
    private readonly Lock _gate = new();
    private Signal? _closed;

    public void Close()
    {
        lock (_gate)
            _closed ??= new Signal();
    }

    public void Open()
    {
        lock (_gate)
        {
            _closed?.Set();
            _closed = null;
        }
    }

    public async Task PassAsync(CancellationToken cancellationToken)
    {
        while (Closed() is { } closed)
            await closed.WaitAsync(Timeout.InfiniteTimeSpan, cancellationToken);
    }

    private Signal? Closed()
    {
        lock (_gate)
            return _closed;
    }
}
