using MassTransit;
using MassTransit.DependencyInjection;
using MassTransit.Scheduling;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace Outbox.Capturing;

/// <summary>
/// <c>UseBusOutbox()</c>: the scope's plain <see cref="IMessageScheduler"/> schedules by the outbox. Inside a consumer whose
/// endpoint uses the inbox it is the consume context's, which does so anyway.
/// </summary>
internal sealed class CapturedScheduler<TDbContext>(
    IBus bus, IScopedConsumeContextProvider consuming, IServiceProvider provider, IOutboxFactory<TDbContext> outboxes, TimeProvider time)
    where TDbContext : DbContext
{
    public IMessageScheduler Scheduler
    {
        get
        {
            if (consuming.HasContext && consuming.GetContext() is MassTransit.Middleware.OutboxConsumeContext inbox
                && inbox.TryGetPayload(out MessageSchedulerContext? scheduler))
            {
                return scheduler;
            }

            var outbox = outboxes.For(provider.GetRequiredService<TDbContext>());
            return new MessageScheduler(new OutboxScheduler(outbox, outbox.Cancel, time), bus.Topology);
        }
    }
}
