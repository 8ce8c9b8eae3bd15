namespace ServiceDefaults;

/// <summary>A part of a list.</summary>
/// <param name="Items">In the list's order.</param>
/// <param name="Next">Where the next page begins; <c>null</c> when this one is the last for now.</param>
public sealed record Page<T>(IReadOnlyList<T> Items, string? Next);

/// <summary>Makes pages.</summary>
public static class Page
{
    /// <summary>Makes a page of rows that were read with one more than <paramref name="limit"/>.</summary>
    public static Page<TItem> From<TRow, TItem>(
        List<TRow> rows, int limit, Func<TRow, TItem> item, Func<TRow, Cursor> cursor, string list)
    {
        var shown = rows.Take(limit).ToList();
        var next = rows.Count > limit ? cursor(shown[^1]).Write(list) : null;
        return new Page<TItem>(shown.ConvertAll(row => item(row)), next);
    }
}
