using System.Buffers.Binary;
using System.Buffers.Text;
using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using System.Text;

namespace ServiceDefaults;

/// <summary>A place in a list, opaque to clients: after <paramref name="Position"/>, and there after <paramref name="Id"/>.</summary>
/// <remarks>
/// The text carries a check over the list's name, so that a cursor of another list, or one that was made up, is told
/// from ours. It keeps mistakes out, not attackers: a cursor grants nothing.
/// </remarks>
public sealed record Cursor(long Position, Guid Id)
{
    private const int PayloadLength = 24;
    private const int CheckLength = 6;

    /// <summary>The text that a client hands back.</summary>
    public string Write(string list)
    {
        Span<byte> bytes = stackalloc byte[PayloadLength + CheckLength];
        BinaryPrimitives.WriteInt64BigEndian(bytes, Position);
        Id.TryWriteBytes(bytes[8..]);
        Check(list, bytes[..PayloadLength], bytes[PayloadLength..]);
        return Base64Url.EncodeToString(bytes);
    }

    /// <summary>Reads a text that <see cref="Write"/> made for the same list.</summary>
    public static bool TryRead(string list, string text, [NotNullWhen(true)] out Cursor? cursor)
    {
        cursor = null;
        Span<byte> bytes = stackalloc byte[PayloadLength + CheckLength];
        if (text.Length != Base64Url.GetEncodedLength(bytes.Length)
            || !Base64Url.TryDecodeFromChars(text, bytes, out var written)
            || written != bytes.Length)
        {
            return false;
        }

        Span<byte> expected = stackalloc byte[CheckLength];
        Check(list, bytes[..PayloadLength], expected);
        if (!expected.SequenceEqual(bytes[PayloadLength..]))
        {
            return false;
        }

        // A place in time or a number in a row: whoever computed the check for anything else made it up.
        var position = BinaryPrimitives.ReadInt64BigEndian(bytes);
        if (position < 0 || position > DateTime.MaxValue.Ticks)
        {
            return false;
        }

        cursor = new Cursor(position, new Guid(bytes[8..PayloadLength]));
        return true;
    }

    private static void Check(string list, ReadOnlySpan<byte> payload, Span<byte> check)
    {
        var hash = SHA256.HashData([.. Encoding.UTF8.GetBytes(list), 0, .. payload]);
        hash.AsSpan(0, CheckLength).CopyTo(check);
    }
}
