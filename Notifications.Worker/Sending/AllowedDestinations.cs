using System.Globalization;
using System.Net;
using ServiceDefaults;

namespace Notifications.Sending;

/// <summary>Where webhooks may be sent: to global addresses, to networks that an operator named, on ports that he named.</summary>
public sealed class AllowedDestinations
{
    /// <summary>Networks beyond the internet, such as <c>10.1.0.0/16,fd00::/8</c>. None by default.</summary>
    public const string NetworksSetting = "Delivery:AllowedNetworks";

    /// <summary>Ports and ranges of ports, such as <c>443,8000-8999</c>. By default <see cref="DefaultPorts"/>.</summary>
    public const string PortsSetting = "Delivery:AllowedPorts";

    /// <summary>Those of HTTP and HTTPS.</summary>
    public const string DefaultPorts = "80,443,8080,8443";

    private const char Separator = ',';
    private readonly IPNetwork[] networks;
    private readonly (int First, int Last)[] ports;

    /// <summary>Reads the two settings.</summary>
    /// <exception cref="StartException">A part of them is no network, or no port.</exception>
    public AllowedDestinations(string? networks = null, string? ports = null)
    {
        this.networks = [.. Parts(networks).Select(Network)];
        this.ports = [.. Parts(string.IsNullOrWhiteSpace(ports) ? DefaultPorts : ports).Select(Ports)];
    }

    /// <summary>Whether a connection to this address may be made. Asked of the very address that is dialled.</summary>
    /// <remarks>A mapped address is refused as it is: <see cref="IPNetwork.Contains"/> would take it for the IPv4 address in it.</remarks>
    public bool Allows(IPAddress address) =>
        GlobalAddress.Is(address) || (!address.IsIPv4MappedToIPv6 && Array.Exists(networks, network => network.Contains(address)));

    /// <summary>Why this cannot be the address of an endpoint; null when it can, as far as that can be told before connecting.</summary>
    public string? Refuse(Uri url)
    {
        if (!url.IsAbsoluteUri || url.Scheme is not ("http" or "https"))
        {
            return "The address must begin with http:// or https://.";
        }

        if (url.UserInfo.Length > 0)
        {
            return "The address must hold no user name and no password.";
        }

        if (url.Fragment.Length > 0)
        {
            return "The address must have no fragment.";
        }

        if (!Array.Exists(ports, range => url.Port >= range.First && url.Port <= range.Last))
        {
            return $"Port {url.Port} is not one that may be called.";
        }

        return IPAddress.TryParse(url.DnsSafeHost, out var address) && !Allows(address)
            ? $"{address} is not an address that may be called."
            : null;
    }

    private static IEnumerable<string> Parts(string? list) =>
        (list ?? "").Split(Separator, StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);

    private static IPNetwork Network(string text) => IPNetwork.TryParse(text, out var network)
        ? network
        : throw new StartException($"{Settings.EnvironmentName(NetworksSetting)} names '{text}': expected a network such as 10.1.0.0/16.");

    private static (int First, int Last) Ports(string text)
    {
        var ends = text.Split('-').Select(Port).ToArray();
        return ends is [{ } first] ? (first, first)
            : ends is [{ } low, { } high] && low <= high ? (low, high)
            : throw new StartException($"{Settings.EnvironmentName(PortsSetting)} names '{text}': expected a port such as 443, or a range such as 8000-8999.");
    }

    private static int? Port(string text) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var port) && port is >= 1 and <= 65_535 ? port : null;
}

/// <summary>An attempt was to call an address that must not be called.</summary>
public sealed class ForbiddenDestinationException(string message) : Exception(message);
