using MassTransit;
using Outbox.Relaying;

namespace Outbox.UnitTests.Relaying;

internal static class Messages
{
    public static StoredMessage New(long number, long key = 0, int partition = 0, int attempts = 0, int returns = 0, int size = 0) => new()
    {
        SequenceNumber = number,
        Partition = partition,
        KeyHash = key,
        Attempts = attempts,
        Returns = returns,
        MessageId = NewId.NextGuid(),
        MessageType = "urn:message:Some:Thing",
        DestinationAddress = "queue:somewhere",
        ContentType = "application/json",
        Metadata = "{}",
        Size = size,
        Body = [],
    };
}
