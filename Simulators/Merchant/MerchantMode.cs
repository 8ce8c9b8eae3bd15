using System.Text.Json.Serialization;

namespace Simulators;

/// <summary>How the merchant answers a webhook.</summary>
[JsonConverter(typeof(KebabCase<MerchantMode>))]
public enum MerchantMode
{
    /// <summary>204.</summary>
    Ok,

    /// <summary>500.</summary>
    Fail,

    /// <summary>Not at all.</summary>
    Hang,

    /// <summary>410: never again.</summary>
    Gone,

    /// <summary>429 with <c>Retry-After: 2</c>.</summary>
    Throttle,

    /// <summary>307 to another address of its own, which would take it.</summary>
    Redirect,

    /// <summary>200, and a body that comes byte by byte without end.</summary>
    Drip,

    /// <summary>200, and a body that is large without end.</summary>
    Huge,
}
