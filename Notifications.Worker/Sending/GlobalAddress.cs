using System.Net;
using System.Net.Sockets;

namespace Notifications.Sending;

/// <summary>Knows the addresses that belong to the internet at large, after IANA's special-purpose registries.</summary>
public static class GlobalAddress
{
    // What is never global; the comment says what it is for.
    private static readonly IPNetwork[] SpecialV4 =
    [
        IPNetwork.Parse("0.0.0.0/8"),           // this host
        IPNetwork.Parse("10.0.0.0/8"),          // private
        IPNetwork.Parse("100.64.0.0/10"),       // carriers' shared space
        IPNetwork.Parse("127.0.0.0/8"),         // loopback
        IPNetwork.Parse("169.254.0.0/16"),      // link-local, and the clouds' metadata
        IPNetwork.Parse("172.16.0.0/12"),       // private
        IPNetwork.Parse("192.0.0.0/24"),        // protocol assignments
        IPNetwork.Parse("192.0.2.0/24"),        // documentation
        IPNetwork.Parse("192.88.99.0/24"),      // 6to4 relays
        IPNetwork.Parse("192.168.0.0/16"),      // private
        IPNetwork.Parse("198.18.0.0/15"),       // benchmarking
        IPNetwork.Parse("198.51.100.0/24"),     // documentation
        IPNetwork.Parse("203.0.113.0/24"),      // documentation
        IPNetwork.Parse("224.0.0.0/4"),         // multicast
        IPNetwork.Parse("240.0.0.0/4"),         // reserved, and broadcast
    ];

    // Only this is given out as global unicast. Loopback, mapped (::ffff:0:0/96), NAT64 (64:ff9b::/96, 64:ff9b:1::/48),
    // discard, unique-local, link-local and multicast lie outside, and so does whatever is invented next.
    private static readonly IPNetwork UnicastV6 = IPNetwork.Parse("2000::/3");

    private static readonly IPNetwork[] SpecialV6 =
    [
        IPNetwork.Parse("2001::/23"),           // protocol assignments: Teredo, benchmarking, ORCHID
        IPNetwork.Parse("2001:db8::/32"),       // documentation
        IPNetwork.Parse("2002::/16"),           // 6to4: an IPv4 address in disguise
        IPNetwork.Parse("3fff::/20"),           // documentation
    ];

    /// <summary>Whether an address can be anybody's on the internet, and nobody's in the network of this service.</summary>
    public static bool Is(IPAddress address) => address.AddressFamily switch
    {
        AddressFamily.InterNetwork => !Array.Exists(SpecialV4, network => network.Contains(address)),
        AddressFamily.InterNetworkV6 => !address.IsIPv4MappedToIPv6 && UnicastV6.Contains(address) && !Array.Exists(SpecialV6, network => network.Contains(address)),
        _ => false,
    };
}
