using System.Reflection;
using MassTransit;
using MassTransit.RabbitMqTransport;
using Microsoft.Extensions.Logging.Abstractions;
using Outbox.Relaying;
using Outbox.Testing;
using RabbitMQ.Client;

namespace Outbox.UnitTests.Relaying;

public class UntoldChannelsTests
{
    private readonly UntoldChannels _channels = new(NullLogger<DeadConnectionWatch>.Instance);
    private readonly Dictionary<string, object?> _state = new(StringComparer.Ordinal) { ["connection.IsOpen"] = true, ["channel.IsOpen"] = true };

    [Fact]
    public async Task An_endpoint_leaves_an_open_channel_of_a_closed_connection_at_the_second_look()
    {
        var receiving = Receive();
        Look(UntoldChannels.ClosedLooks);
        _state["connection.IsOpen"] = false;

        Look(UntoldChannels.UntoldLooks - 1);
        receiving.IsCompleted.ShouldBeFalse();
        Look(1);

        await Should.ThrowAsync<ConnectionException>(receiving.WaitAsync(Eventually.Limit));
    }

    // Its consumer may wait for ever for an answer that came when the channel ended.
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task An_endpoint_leaves_a_closed_channel_when_it_has_had_time_to_do_so_itself(bool connectionIsOpen)
    {
        var receiving = Receive();
        (_state["connection.IsOpen"], _state["channel.IsOpen"]) = (connectionIsOpen, false);

        Look(UntoldChannels.ClosedLooks - 1);
        receiving.IsCompleted.ShouldBeFalse();
        Look(1);

        await Should.ThrowAsync<ConnectionException>(receiving.WaitAsync(Eventually.Limit));
    }

    [Fact]
    public async Task An_endpoint_that_leaves_by_itself_is_let_go()
    {
        var end = new TaskCompletionSource();
        var receiving = Receive(end.Task);
        _state["channel.IsOpen"] = false;
        Look(UntoldChannels.ClosedLooks - 1);

        end.SetResult();
        await receiving.WaitAsync(Eventually.Limit);

        Look(UntoldChannels.ClosedLooks);
    }

    private Task Receive(Task? until = null)
        => _channels.Send(Fake.Of<ChannelContext>(_state, "context"), Pipe.ExecuteAsync<ChannelContext>(_ => until ?? new TaskCompletionSource().Task));

    private void Look(int times)
    {
        for (var look = 0; look < times; look++)
            _channels.Look();
    }

    /// <summary>Answers a property by what the test says of it, and by another fake where that is asked for.</summary>
    public class Fake : DispatchProxy
    {
        private Dictionary<string, object?> _state = new(StringComparer.Ordinal);
        private string _name = "";

        public static T Of<T>(Dictionary<string, object?> state, string name)
            where T : class
        {
            var fake = Create<T, Fake>();
            ((Fake)(object)fake)._state = state;
            ((Fake)(object)fake)._name = name;
            return fake;
        }

        protected override object? Invoke(MethodInfo? targetMethod, object?[]? args) => targetMethod!.Name switch
        {
            "get_ConnectionContext" => Of<ConnectionContext>(_state, "context"),
            "get_Connection" => Of<IConnection>(_state, "connection"),
            "get_Channel" => Of<IChannel>(_state, "channel"),
            "get_Description" => "a broker",
            var name => _state.GetValueOrDefault($"{_name}.{name[(name.IndexOf('_', StringComparison.Ordinal) + 1)..]}"),
        };
    }
}
