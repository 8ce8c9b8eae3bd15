using System.Globalization;
using MassTransit;

namespace Outbox.Capturing;

/// <summary>When a message is due, and the token by which it can be cancelled: its message id, known once it was captured.</summary>
internal sealed class ScheduledFor(DateTime due)
{
    /// <summary>When the message is due (UTC). Told as a time and not as <see cref="SendContext.Delay"/>, which has begun to run out.</summary>
    public DateTime Due => due;

    /// <summary>The message id.</summary>
    public Guid Token { get; private set; }

    /// <summary>Makes a message that is about to be captured a scheduled one.</summary>
    public void ApplyTo(SendContext context) => context.AddOrUpdatePayload(() => this, _ => this);

    /// <summary>Last of all, since the sender may choose the message id. A saga knows its own schedules by the header.</summary>
    public void GiveToken(SendContext context)
    {
        Token = context.MessageId ?? Guid.Empty;
        context.ScheduledMessageId = Token;
        context.Headers.Set(MessageHeaders.SchedulingTokenId, Token.ToString("N", CultureInfo.InvariantCulture));
    }
}
