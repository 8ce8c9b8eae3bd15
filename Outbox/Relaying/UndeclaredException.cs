namespace Outbox.Relaying;

/// <summary>The broker does not declare what an address needs, so nothing can be sent there.</summary>
/// <param name="cause">What it said.</param>
/// <param name="mayPass">Whether it may well do it later: the node of a queue is down, or another connection has the queue for itself.</param>
internal sealed class UndeclaredException(Exception cause, bool mayPass) : Exception($"The broker does not declare what the address needs: {cause.Message}", cause)
{
    public bool MayPass => mayPass;
}
