using System.Globalization;

namespace ServiceDefaults;

/// <summary>What a request asks of a list: <c>?after=&amp;limit=</c>.</summary>
/// <param name="After">The <c>next</c> of the page before; absent for the first.</param>
/// <param name="Limit">1 to 100; 20 when absent.</param>
public sealed record PageRequest(string? After, string? Limit)
{
    /// <summary>Reads both values.</summary>
    /// <param name="list">The list's name, which its cursors carry.</param>
    /// <exception cref="InvalidInputException">The cursor is not of this list, or the limit is out of range.</exception>
    public (Cursor? After, int Limit) Read(string list)
    {
        Cursor? cursor = null;
        if (!string.IsNullOrEmpty(After) && !Cursor.TryRead(list, After, out cursor))
        {
            throw new InvalidInputException("after", "is not a cursor of this list. Use the 'next' of the page before.");
        }

        var limit = HttpLimits.DefaultPage;
        if (!string.IsNullOrEmpty(Limit)
            && (!int.TryParse(Limit, NumberStyles.None, CultureInfo.InvariantCulture, out limit)
                || limit is < 1 or > HttpLimits.MaxPage))
        {
            throw new InvalidInputException("limit", $"must be a number from 1 to {HttpLimits.MaxPage}.");
        }

        return (cursor, limit);
    }
}
