using System.Text;

namespace Outbox;

/// <summary>What is stored of an exception: short enough for the column, and such that every database takes it.</summary>
internal static class ErrorText
{
    private const int Longest = 2048;

    /// <summary>The exception's type and message.</summary>
    public static string Of(Exception? error)
    {
        if (error is null)
            return "";

        // Rune by rune: half a surrogate pair, or a NUL, is refused by PostgreSQL.
        var text = new StringBuilder();
        foreach (var rune in $"{error.GetType().Name}: {error.Message}".EnumerateRunes())
        {
            if (text.Length + rune.Utf16SequenceLength > Longest)
                break;
            text.Append(rune.Value == 0 ? Rune.ReplacementChar.ToString() : rune.ToString());
        }

        return text.ToString();
    }
}
