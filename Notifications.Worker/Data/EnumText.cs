using System.Diagnostics.CodeAnalysis;
using System.Text.Json;

namespace Notifications;

/// <summary>Enumerations as the API writes them: <c>delivered</c>.</summary>
internal static class EnumText
{
    public static string Text<T>(this T value)
        where T : struct, Enum => JsonNamingPolicy.CamelCase.ConvertName(value.ToString());

    /// <summary>Reads a name, and nothing but a name.</summary>
    public static bool TryRead<T>([NotNullWhen(true)] string? text, out T value)
        where T : struct, Enum
    {
        value = Enum.GetValues<T>().FirstOrDefault(v => string.Equals(v.Text(), text, StringComparison.Ordinal));
        return string.Equals(value.Text(), text, StringComparison.Ordinal);
    }

    /// <summary>The names, for an error message.</summary>
    public static string Names<T>()
        where T : struct, Enum => string.Join(", ", Enum.GetValues<T>().Select(v => v.Text()));
}
