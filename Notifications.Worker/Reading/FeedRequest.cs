using System.Globalization;
using ServiceDefaults;

namespace Notifications;

/// <summary>What a request asks of the feed.</summary>
/// <param name="After">The <c>next</c> of the page before; absent for the beginning.</param>
/// <param name="Type">Only events of this type.</param>
/// <param name="Status">Only those in this state.</param>
/// <param name="Acknowledged">Only those that are, or are not, acknowledged.</param>
/// <param name="Limit">1 to 250; 50 when absent.</param>
/// <param name="Wait">How many seconds to wait for one when there is none, 0 to 20; 0 when absent.</param>
internal sealed record FeedRequest(string? After, string? Type, string? Status, string? Acknowledged, string? Limit, string? Wait)
{
    private const int DefaultLimit = 50;
    private const int MaxLimit = 250;
    private const int MaxWait = 20;

    /// <summary>Reads what was asked.</summary>
    /// <exception cref="InvalidInputException">A value is none.</exception>
    public FeedQuery Read()
    {
        var (after, limit) = new PageRequest(After, Limit).Read(FeedQuery.List, DefaultLimit, MaxLimit);
        return new FeedQuery(after?.Position ?? 0, EventType(), State(), Flag(), limit, Patience());
    }

    private static string? Text(string? value) => string.IsNullOrEmpty(value) ? null : value;

    // PostgreSQL takes no text with a NUL.
    private string? EventType() => Type?.Contains('\0', StringComparison.Ordinal) == true
        ? throw new InvalidInputException("type", "must not hold control characters.")
        : Text(Type);

    private DeliveryState? State()
    {
        if (Text(Status) is null)
        {
            return null;
        }

        return EnumText.TryRead<DeliveryState>(Status, out var state)
            ? state
            : throw new InvalidInputException("status", $"must be one of {EnumText.Names<DeliveryState>()}.");
    }

    private bool? Flag() => Text(Acknowledged) switch
    {
        null => null,
        "true" => true,
        "false" => false,
        _ => throw new InvalidInputException("acknowledged", "must be true or false."),
    };

    private TimeSpan Patience()
    {
        if (Text(Wait) is null)
        {
            return TimeSpan.Zero;
        }

        return int.TryParse(Wait, NumberStyles.None, CultureInfo.InvariantCulture, out var seconds) && seconds <= MaxWait
            ? TimeSpan.FromSeconds(seconds)
            : throw new InvalidInputException("wait", $"must be a number of seconds from 0 to {MaxWait}.");
    }
}

/// <summary>What was asked of the feed, read.</summary>
internal sealed record FeedQuery(long After, string? Type, DeliveryState? Status, bool? Acknowledged, int Limit, TimeSpan Wait)
{
    /// <summary>The list's name, which its cursors carry.</summary>
    public const string List = "feed";
}
