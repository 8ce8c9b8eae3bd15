using MassTransit;
using Outbox.Capturing;

namespace Outbox.UnitTests.Capturing;

public sealed class CapturedMessageTests
{
    [Theory]
    [InlineData("rabbitmq://localhost/packing", true)]
    [InlineData("rabbitmq://localhost/host_bus_1?temporary=true", false)]
    [InlineData("rabbitmq://localhost/host_bus_1?durable=false&autodelete=true", false)]
    [InlineData("rabbitmq://localhost/amq.rabbitmq.reply-to", false)]
    public void Only_an_answer_to_a_temporary_address_needs_no_listener(string destination, bool needed)
        => CapturedMessage.NeedsListener(typeof(Answer), new Uri(destination)).ShouldBe(needed);

    [Fact]
    public void Nobody_need_listen_to_faults()
        => CapturedMessage.NeedsListener(typeof(Fault<Answer>), new Uri("rabbitmq://localhost/faults")).ShouldBeFalse();

    private sealed record Answer;
}
