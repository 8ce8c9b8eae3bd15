using System.Buffers.Binary;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Outbox;

/// <summary>Which member of a message is its partition key, by message type.</summary>
internal sealed class PartitionKeys
{
    private readonly Dictionary<Type, Func<object, object?>> _selectors = [];

    public void Add<TMessage>(Func<TMessage, object?> selector)
        where TMessage : class
        => _selectors[typeof(TMessage)] = message => selector((TMessage)message);

    /// <summary>The key of a message, or <see langword="null"/> when none is configured for its type or the key is absent.</summary>
    public string? For(Type messageType, object message)
        => _selectors.TryGetValue(messageType, out var selector) && selector(message) is { } key
            ? Convert.ToString(key, CultureInfo.InvariantCulture)
            : null;

    /// <summary>The same in every process and version: the first eight bytes of the SHA-256 of the UTF-8 key.</summary>
    public static long Hash(string key)
    {
        Span<byte> digest = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(Encoding.UTF8.GetBytes(key), digest);
        return BinaryPrimitives.ReadInt64LittleEndian(digest);
    }

    public static int Partition(long keyHash, int partitionCount) => (int)((ulong)keyHash % (ulong)partitionCount);
}
