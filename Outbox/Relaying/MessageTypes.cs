using System.Reflection;
using MassTransit;

namespace Outbox.Relaying;

/// <summary>Finds the type that a URN names.</summary>
internal static class MessageTypes
{
    private const string Prefix = "urn:message:";

    /// <summary>How many assemblies are loaded.</summary>
    public static int AssemblyCount => AppDomain.CurrentDomain.GetAssemblies().Length;

    /// <summary>The type among those of the loaded assemblies, closed generic ones included, or <see langword="null"/>.</summary>
    public static Type? Find(string urn)
    {
        if (urn.StartsWith(Prefix, StringComparison.Ordinal) && urn.EndsWith(']'))
            return Named(urn[Prefix.Length..]) is { IsValueType: false } closed && MessageUrn.ForTypeString(closed) == urn ? closed : null;
        var candidates = All()
            .Where(t => t is { IsGenericTypeDefinition: false, IsValueType: false } && (IsNamedIn(urn, t) || t.IsDefined(typeof(MessageUrnAttribute), false)));
        return candidates.FirstOrDefault(t => MessageUrn.ForTypeString(t) == urn);
    }

    /// <summary>The type that a URN names by <c>Namespace:Name</c> or, closed, by <c>Namespace:Name[[Namespace:Argument],[...]]</c>.</summary>
    private static Type? Named(string name)
    {
        if (name.IndexOf('[', StringComparison.Ordinal) is not (> 0 and var open) || !name.EndsWith(']'))
            return All().FirstOrDefault(t => t is { IsGenericTypeDefinition: false } && name.EndsWith(t.Name, StringComparison.Ordinal) && name == NameOf(t));

        var arguments = Arguments(name[(open + 1)..^1]).Select(Named).ToArray();
        return Array.TrueForAll(arguments, a => a is not null)
            ? All().Where(t => t.IsGenericTypeDefinition && t.GetGenericArguments().Length == arguments.Length && name[..open] == NameOf(t))
                .Select(t => Close(t, arguments!)).FirstOrDefault(t => t is not null)
            : null;
    }

    /// <summary>What stands between the outer brackets: <c>[A],[B[[C]]]</c> is <c>A</c> and <c>B[[C]]</c>.</summary>
    private static IEnumerable<string> Arguments(string list)
    {
        var (depth, start) = (0, 0);
        for (var at = 0; at < list.Length; at++)
        {
            if (list[at] == '[' && depth++ == 0)
                start = at + 1;
            if (list[at] == ']' && --depth == 0)
                yield return list[start..at];
        }
    }

    private static Type? Close(Type definition, Type[] arguments)
    {
        try
        {
            return definition.MakeGenericType(arguments);
        }
        catch (ArgumentException)
        {
            return null;                                    // another type of that name, with other constraints
        }
    }

    private static string NameOf(Type type)
    {
        var name = type.Name.Split('`')[0];
        for (var outer = type.DeclaringType; outer is not null; outer = outer.DeclaringType)
            name = $"{outer.Name}+{name}";
        return type.Namespace is { } space ? $"{space}:{name}" : name;
    }

    private static bool IsNamedIn(string urn, Type type) => urn.EndsWith(type.Name, StringComparison.Ordinal);

    private static IEnumerable<Type> All() => AppDomain.CurrentDomain.GetAssemblies().Where(a => !a.IsDynamic).SelectMany(TypesOf);

    private static Type[] TypesOf(Assembly assembly)
    {
        try
        {
            return assembly.GetTypes();
        }
        catch (ReflectionTypeLoadException some)
        {
            return [.. some.Types.OfType<Type>()];
        }
    }
}
