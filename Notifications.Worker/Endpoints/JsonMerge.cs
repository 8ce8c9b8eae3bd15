using System.Text.Json.Nodes;

namespace Notifications;

/// <summary>A merge patch (RFC 7396): what is named is set, what is null is removed, what is not named stays.</summary>
internal static class JsonMerge
{
    public static void Apply(JsonObject patch, JsonObject target)
    {
        foreach (var (name, value) in patch)
        {
            switch (value)
            {
                case null:
                    target.Remove(name);
                    break;
                case JsonObject inner:
                    var into = target[name] as JsonObject ?? [];
                    Apply(inner, into);
                    target[name] = into.DeepClone();
                    break;
                default:
                    target[name] = value.DeepClone();
                    break;
            }
        }
    }
}
