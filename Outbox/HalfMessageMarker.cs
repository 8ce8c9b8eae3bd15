namespace Outbox;

/// <summary>What became of local work in another database than the outbox's, as a row of that database.</summary>
/// <remarks>The work inserts its own in its transaction; the check-back inserts one as the fence. Who comes second loses on the key.</remarks>
public sealed class HalfMessageMarker
{
    /// <summary>The half message that reports the work.</summary>
    public Guid MessageId { get; set; }

    /// <summary>Whether the work was done; otherwise the check-back has rolled it back, and it cannot be done any more.</summary>
    public bool Done { get; set; }
}
