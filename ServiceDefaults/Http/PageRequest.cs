using System.Globalization;

namespace ServiceDefaults;

/// <summary>What a request asks of a list: <c>?after=&amp;limit=</c>.</summary>
/// <param name="After">The <c>next</c> of the page before; absent for the first.</param>
/// <param name="Limit">1 to 100, 20 when absent, unless the list says otherwise.</param>
public sealed record PageRequest(string? After, string? Limit)
{
    /// <summary>Reads both values.</summary>
    /// <param name="list">The list's name, which its cursors carry.</param>
    /// <param name="defaultLimit">The limit when none is asked for.</param>
    /// <param name="maxLimit">The highest that may be asked for.</param>
    /// <exception cref="InvalidInputException">The cursor is not of this list, or the limit is out of range.</exception>
    public (Cursor? After, int Limit) Read(string list, int defaultLimit = HttpLimits.DefaultPage, int maxLimit = HttpLimits.MaxPage)
    {
        Cursor? cursor = null;
        if (!string.IsNullOrEmpty(After) && !Cursor.TryRead(list, After, out cursor))
        {
            throw new InvalidInputException("after", "is not a cursor of this list. Use the 'next' of the page before.");
        }

        var limit = defaultLimit;
        if (!string.IsNullOrEmpty(Limit)
            && (!int.TryParse(Limit, NumberStyles.None, CultureInfo.InvariantCulture, out limit)
                || limit < 1 || limit > maxLimit))
        {
            throw new InvalidInputException("limit", $"must be a number from 1 to {maxLimit}.");
        }

        return (cursor, limit);
    }
}
