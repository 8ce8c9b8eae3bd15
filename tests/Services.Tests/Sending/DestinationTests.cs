using System.Net;
using Notifications.Sending;
using ServiceDefaults;

namespace Services.Tests;

/// <summary>What an address that a stranger chose must not lead to.</summary>
public sealed class DestinationTests
{
    [Theory]
    [InlineData("0.0.0.0")]
    [InlineData("10.0.0.1")]
    [InlineData("100.64.0.1")]
    [InlineData("100.127.255.255")]
    [InlineData("127.0.0.1")]
    [InlineData("127.255.255.254")]
    [InlineData("169.254.169.254")]
    [InlineData("172.16.0.1")]
    [InlineData("172.31.255.255")]
    [InlineData("192.0.0.8")]
    [InlineData("192.0.2.1")]
    [InlineData("192.88.99.1")]
    [InlineData("192.168.1.1")]
    [InlineData("198.19.255.255")]
    [InlineData("198.51.100.1")]
    [InlineData("203.0.113.1")]
    [InlineData("224.0.0.1")]
    [InlineData("240.0.0.1")]
    [InlineData("255.255.255.255")]
    [InlineData("::")]
    [InlineData("::1")]
    [InlineData("::ffff:127.0.0.1")]
    [InlineData("::ffff:8.8.8.8")]
    [InlineData("::127.0.0.1")]
    [InlineData("64:ff9b::7f00:1")]
    [InlineData("64:ff9b:1::1")]
    [InlineData("100::1")]
    [InlineData("2001::1")]
    [InlineData("2001:2::1")]
    [InlineData("2001:10::1")]
    [InlineData("2001:db8::1")]
    [InlineData("2002:7f00:1::1")]
    [InlineData("2002:808:808::1")]
    [InlineData("3fff::1")]
    [InlineData("5f00::1")]
    [InlineData("fc00::1")]
    [InlineData("fd12:3456::1")]
    [InlineData("fe80::1")]
    [InlineData("fe80::1%1")]
    [InlineData("fec0::1")]
    [InlineData("ff02::1")]
    public void No_address_is_called_that_is_not_global(string address) =>
        new AllowedDestinations().Allows(IPAddress.Parse(address)).ShouldBeFalse();

    [Theory]
    [InlineData("1.1.1.1")]
    [InlineData("100.63.255.255")]
    [InlineData("172.15.0.1")]
    [InlineData("172.32.0.1")]
    [InlineData("192.0.1.1")]
    [InlineData("223.255.255.255")]
    [InlineData("2606:4700::1111")]
    [InlineData("2a00:1450::1")]
    public void Global_addresses_are(string address) =>
        new AllowedDestinations().Allows(IPAddress.Parse(address)).ShouldBeTrue();

    [Fact]
    public void Networks_that_an_operator_named_are_called_and_no_others()
    {
        var allowed = new AllowedDestinations("10.1.0.0/16, fd00::/8");

        allowed.Allows(IPAddress.Parse("10.1.2.3")).ShouldBeTrue();
        allowed.Allows(IPAddress.Parse("fd00::1")).ShouldBeTrue();
        allowed.Allows(IPAddress.Parse("10.2.0.1")).ShouldBeFalse();
        allowed.Allows(IPAddress.Parse("::ffff:10.1.2.3")).ShouldBeFalse();
    }

    [Theory]
    [InlineData("https://example.com/hook", true)]
    [InlineData("http://example.com:8080/hook?tenant=1", true)]
    [InlineData("ftp://example.com/", false)]
    [InlineData("file:///etc/passwd", false)]
    [InlineData("https://user@example.com/", false)]
    [InlineData("https://user:secret@example.com/", false)]
    [InlineData("https://example.com/#part", false)]
    [InlineData("https://example.com:22/", false)]
    [InlineData("http://127.0.0.1/", false)]
    [InlineData("http://[::1]/", false)]
    [InlineData("http://2130706433/", false)]
    [InlineData("http://0x7f.1/", false)]
    [InlineData("http://[::ffff:7f00:1]/", false)]
    public void Addresses_with_tricks_are_refused(string url, bool isAllowed) =>
        (new AllowedDestinations().Refuse(new Uri(url)) is null).ShouldBe(isAllowed);

    [Fact]
    public void Ports_are_named_one_by_one_and_by_range()
    {
        var allowed = new AllowedDestinations(ports: "443, 8000-8999");

        allowed.Refuse(new Uri("https://example.com/")).ShouldBeNull();
        allowed.Refuse(new Uri("https://example.com:8999/")).ShouldBeNull();
        allowed.Refuse(new Uri("https://example.com:9000/")).ShouldNotBeNull();
        allowed.Refuse(new Uri("http://example.com/")).ShouldNotBeNull();
    }

    [Theory]
    [InlineData("10.1.0.0", null)]
    [InlineData("ten", null)]
    [InlineData(null, "0")]
    [InlineData(null, "70000")]
    [InlineData(null, "9-1")]
    [InlineData(null, "1-2-3")]
    [InlineData(null, "http")]
    public void Settings_that_mean_nothing_stop_the_start(string? networks, string? ports) =>
        Should.Throw<StartException>(() => new AllowedDestinations(networks, ports));

    [Theory]
    [InlineData("X-Tenant", "north", true)]
    [InlineData("Authorization", "Bearer abc", true)]
    [InlineData("X Tenant", "north", false)]
    [InlineData("", "north", false)]
    [InlineData("X-Tenant:", "north", false)]
    [InlineData("X-Tenant", "north\r\nX-Admin: 1", false)]
    [InlineData("X-Tenant", "nörd", false)]
    [InlineData("Host", "internal", false)]
    [InlineData("Content-Length", "0", false)]
    [InlineData("Transfer-Encoding", "chunked", false)]
    [InlineData("Webhook-Signature", "v1,forged", false)]
    [InlineData("Proxy-Authorization", "x", false)]
    [InlineData("X-Forwarded-For", "127.0.0.1", false)]
    [InlineData("traceparent", "x", false)]
    public void Headers_are_vetted(string name, string value, bool isAllowed) =>
        (WebhookHeaders.Refuse(name, value) is null).ShouldBe(isAllowed);
}
