using MassTransit;

namespace Outbox.Relaying;

/// <summary>
/// Hears of a failed send at once. MassTransit otherwise repeats it inside the same call, for minutes, and says nothing.
/// </summary>
internal sealed class TransportFaults : ISendObserver, IPublishObserver
{
    public Task PreSend<T>(SendContext<T> context)
        where T : class
        => Task.CompletedTask;

    public Task PostSend<T>(SendContext<T> context)
        where T : class
        => Task.CompletedTask;

    public Task SendFault<T>(SendContext<T> context, Exception exception)
        where T : class
    {
        if (context.Serializer is StoredBody body)
            body.Delivery.Failed(exception);
        return Task.CompletedTask;
    }

    public Task PrePublish<T>(PublishContext<T> context)
        where T : class
        => Task.CompletedTask;

    public Task PostPublish<T>(PublishContext<T> context)
        where T : class
        => Task.CompletedTask;

    public Task PublishFault<T>(PublishContext<T> context, Exception exception)
        where T : class
        => SendFault(context, exception);
}
