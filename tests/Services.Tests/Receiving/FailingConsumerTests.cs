using MassTransit;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Outbox;
using Outbox.Testing;
using Points;
using ServiceDefaults;

namespace Services.Tests;

/// <summary>What a service's consumer cannot do: tried at once, tried again later from the outbox, and in the end given up.</summary>
public sealed class FailingConsumerTests : ServiceTests<PointsDb>
{
    private const string Queue = "failing";
    private static readonly TimeSpan[] Pauses = [TimeSpan.FromSeconds(5), TimeSpan.FromSeconds(30), TimeSpan.FromMinutes(5), TimeSpan.FromHours(1)];

    private readonly SignalLog<DateTimeOffset> tries = new();

    [Fact]
    public async Task A_message_is_tried_four_times_within_a_second_and_again_after_each_pause_before_it_is_given_up()
    {
        var connected = App.Services.GetRequiredService<IReceiveEndpointConnector>().ConnectReceiveEndpoint(Queue, (context, endpoint) =>
        {
            endpoint.UseServiceInbox<PointsDb>(context);
            endpoint.Consumer(() => new Failing(tries));
        });
        await connected.Ready;
        var queue = await App.Services.GetRequiredService<IBus>().GetSendEndpoint(new Uri($"queue:{Queue}"));
        await queue.Send(new Impossible("x"));

        for (var pass = 1; pass <= Pauses.Length + 1; pass++)
        {
            await App.Received.WaitForCount(pass);
            var made = tries.Values.Skip(4 * (pass - 1)).ToList();
            made.Count.ShouldBe(4, $"in pass {pass}");
            (made[3] - made[0]).ShouldBeInRange(TimeSpan.FromSeconds(0.9), Eventually.Limit, "100, 300 and 600 ms");
            var waiting = (await Rows()).FindAll(row => row.DueAt is not null);
            if (pass > Pauses.Length)
            {
                waiting.ShouldBeEmpty();
                break;
            }

            var copy = waiting.ShouldHaveSingleItem();
            (copy.DueAt!.Value - copy.CreatedAt).ShouldBe(Pauses[pass - 1], TimeSpan.FromSeconds(1));
            await App.InDb(db => db.Set<OutboxMessage>().Where(m => m.SequenceNumber == copy.SequenceNumber)
                .ExecuteUpdateAsync(set => set.SetProperty(m => m.DueAt, copy.CreatedAt)));   // the pause is over
        }

        var last = await Eventually.Get(async () => (await Rows())[^1], row => row.State == OutboxMessageState.Dead);
        last.MessageType.ShouldContain(nameof(Impossible));
    }

    private Task<List<OutboxMessage>> Rows() =>
        App.InDb(db => db.Set<OutboxMessage>().AsNoTracking().OrderBy(m => m.SequenceNumber).ToListAsync());

    private sealed class Failing(SignalLog<DateTimeOffset> tries) : IConsumer<Impossible>
    {
        public Task Consume(ConsumeContext<Impossible> context)
        {
            tries.Add(TimeProvider.System.GetUtcNow());
            throw new InvalidOperationException("Nobody can.");
        }
    }
}

public sealed record Impossible(string What);
