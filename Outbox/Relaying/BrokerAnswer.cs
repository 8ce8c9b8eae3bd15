using MassTransit;

namespace Outbox.Relaying;

/// <summary>
/// What an exception of the transport says about the message. Those of the drivers are known by their names: a bus may have any
/// transport, and any version of its driver.
/// </summary>
internal static class BrokerAnswer
{
    private const string Returned = "MassTransit.MessageReturnedException";
    private const string NotAcknowledged = "MassTransit.MessageNotAcknowledgedException";
    private const string Publish = "RabbitMQ.Client.Exceptions.PublishException";
    private const string PublishReturned = "RabbitMQ.Client.Exceptions.PublishReturnException";

    /// <summary>
    /// The outcome of a send that ended before the message was on its way: the address is none, or a filter that the application has
    /// put on the bus has thrown. That is the message's own, unless what was said is that there is no way to the broker.
    /// </summary>
    public static Outcome Before(Exception exception)
        => new(exception is ConnectionException or TransportUnavailableException or SendWithheldException or OperationCanceledException ? OutcomeKind.NotStarted : OutcomeKind.Refused, exception);

    /// <summary>The outcome of a send that ended with an exception.</summary>
    /// <param name="exception">The exception.</param>
    /// <param name="started">Whether the transport was reached.</param>
    public static Outcome To(Exception exception, bool started)
    {
        if (exception is UnsendableException)
            return new Outcome(OutcomeKind.Refused, exception);
        if (exception is UndeclaredException undeclared)
            return new Outcome(undeclared.MayPass ? OutcomeKind.Unanswered : OutcomeKind.Refused, exception.InnerException);

        for (var cause = exception; cause is not null; cause = cause.InnerException)
        {
            switch (cause.GetType().FullName)
            {
                case Returned or PublishReturned:
                    return new Outcome(OutcomeKind.Unrouted, cause);
                case Publish or NotAcknowledged:
                    return new Outcome(OutcomeKind.Refused, cause);
            }
        }

        return new Outcome(started ? OutcomeKind.Interrupted : OutcomeKind.NotStarted, exception);
    }
}
