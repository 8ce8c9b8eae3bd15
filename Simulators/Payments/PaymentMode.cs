using System.Text.Json.Serialization;

namespace Simulators;

/// <summary>What the provider does with a charge.</summary>
[JsonConverter(typeof(KebabCase<PaymentMode>))]
public enum PaymentMode
{
    /// <summary>Takes the money and says so.</summary>
    Approve,

    /// <summary>Refuses, for good: 402.</summary>
    Decline,

    /// <summary>Takes nothing: 500.</summary>
    Error,

    /// <summary>Takes nothing and does not answer.</summary>
    Hang,

    /// <summary>Takes the money and does not answer.</summary>
    ChargeThenHang,

    /// <summary>Takes the money: 500.</summary>
    ChargeThenError,

    /// <summary>Breaks the connection, whatever is asked: charging, looking a charge up, or voiding it.</summary>
    Unreachable,
}
