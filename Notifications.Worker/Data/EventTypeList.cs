namespace Notifications;

/// <summary>
/// Event types in one column, each between commas: <c>,points.credited,user.registered,</c>. So a query finds one with
/// <c>Contains(EventTypeList.Item(type))</c>, without a table of its own.
/// </summary>
public static class EventTypeList
{
    internal const int MaxLength = 2000;

    /// <summary>The column's text.</summary>
    public static string Write(IEnumerable<string> types) => $",{string.Join(',', types.Distinct(StringComparer.Ordinal))},";

    /// <summary>The types in the column; null stays null.</summary>
    public static string[]? Read(string? list) => list?.Split(',', StringSplitOptions.RemoveEmptyEntries);

    /// <summary>What the column contains when the type is in it.</summary>
    public static string Item(string type) => $",{type},";
}
