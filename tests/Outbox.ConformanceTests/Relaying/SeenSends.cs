using System.Collections.Concurrent;
using MassTransit;

namespace Outbox.ConformanceTests.Relaying;

/// <summary>Who has seen which message on its way out.</summary>
internal sealed class SeenSends : ISendObserver, IPublishObserver
{
    private readonly ConcurrentQueue<(string Who, Guid? MessageId)> _seen = [];

    public void Add(string who, Guid? messageId) => _seen.Enqueue((who, messageId));

    public void Clear() => _seen.Clear();

    public IEnumerable<string> Of(Guid? messageId) => _seen.Where(s => s.MessageId == messageId).Select(s => s.Who);

    public Task PreSend<T>(SendContext<T> context)
        where T : class => Note(nameof(PreSend), context);

    public Task PostSend<T>(SendContext<T> context)
        where T : class => Note(nameof(PostSend), context);

    public Task SendFault<T>(SendContext<T> context, Exception exception)
        where T : class => Note(nameof(SendFault), context);

    public Task PrePublish<T>(PublishContext<T> context)
        where T : class => Note(nameof(PrePublish), context);

    public Task PostPublish<T>(PublishContext<T> context)
        where T : class => Note(nameof(PostPublish), context);

    public Task PublishFault<T>(PublishContext<T> context, Exception exception)
        where T : class => Note(nameof(PublishFault), context);

    private Task Note(string who, SendContext context)
    {
        Add(who, context.MessageId);
        return Task.CompletedTask;
    }
}
