namespace Microsoft.SqlServer.Server;

/// <summary>How a .NET type is stored in a SQL Server column.</summary>
public enum Format
{
    /// <summary>Not said.</summary>
    Unknown = 0,

    /// <summary>By the server.</summary>
    Native = 1,

    /// <summary>By the type itself, through <see cref="IBinarySerialize"/>.</summary>
    UserDefined = 2,
}

/// <summary>A .NET type that writes and reads itself.</summary>
public interface IBinarySerialize
{
    /// <summary>Reads the value.</summary>
    /// <param name="r">Where it is stored.</param>
    void Read(BinaryReader r);

    /// <summary>Writes the value.</summary>
    /// <param name="w">Where it goes.</param>
    void Write(BinaryWriter w);
}

/// <summary>Marks a .NET type as the type of a SQL Server column.</summary>
/// <param name="format">How it is stored.</param>
[AttributeUsage(AttributeTargets.Class | AttributeTargets.Struct)]
public sealed class SqlUserDefinedTypeAttribute(Format format) : Attribute
{
    /// <summary>How it is stored.</summary>
    public Format Format { get; } = format;

    /// <summary>The most bytes that it takes.</summary>
    public int MaxByteSize { get; set; }

    /// <summary>Whether it always takes as many.</summary>
    public bool IsFixedLength { get; set; }

    /// <summary>Whether its bytes sort as its values do.</summary>
    public bool IsByteOrdered { get; set; }

    /// <summary>The method that validates a value.</summary>
    public string? ValidationMethodName { get; set; }

    /// <summary>Its name in the database.</summary>
    public string? Name { get; set; }
}

/// <summary>A type that was to be a column's type is not marked as one.</summary>
public sealed class InvalidUdtException : SystemException
{
    private InvalidUdtException(string message)
        : base(message)
    {
    }

    /// <summary>Says which type, and why.</summary>
    /// <param name="udtType">The type.</param>
    /// <param name="resourceReason">The name of the reason.</param>
    public static InvalidUdtException Create(Type udtType, string resourceReason) => new($"{udtType.Name}: {resourceReason}");
}
