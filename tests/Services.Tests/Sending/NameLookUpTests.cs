using System.Net;
using Notifications.Sending;
using Outbox.Testing;

namespace Services.Tests;

/// <summary>Names whose servers are silent.</summary>
public sealed class NameLookUpTests
{
    private readonly SignalLog<string> asked = new();
    private readonly ManualResetEventSlim answers = new();
    private readonly ManualTimeProvider clock = new();

    [Fact]
    public async Task A_silent_one_keeps_none_from_the_others()
    {
        using var names = Names(2);
        var silent = names.Resolve("silent.example", CancellationToken.None);
        await asked.WaitForCount(1);

        (await names.Resolve("quick.example", CancellationToken.None)).ShouldBe([IPAddress.Loopback]);

        silent.IsCompleted.ShouldBeFalse();
        answers.Set();
        await silent;
    }

    [Fact]
    public async Task It_is_asked_once_for_all_who_wait_and_anew_afterwards()
    {
        using var names = Names(2);
        var waiting = Enumerable.Range(0, 8).Select(_ => names.Resolve("silent.example", CancellationToken.None)).ToList();
        answers.Set();
        await Task.WhenAll(waiting);
        asked.Count.ShouldBe(1);

        await names.Resolve("silent.example", CancellationToken.None);
        asked.Count.ShouldBe(2);
    }

    /// <summary>Nobody can end a look-up. Were its place given to another, each call that gives up would leave a thread behind.</summary>
    [Fact]
    public async Task Who_gives_up_leaves_the_look_up_its_place()
    {
        using var names = Names(1);
        using var stop = new CancellationTokenSource();
        var silent = names.Resolve("silent.example", stop.Token);
        await asked.WaitForCount(1);
        await stop.CancelAsync();
        await Should.ThrowAsync<OperationCanceledException>(() => silent);

        var next = names.Resolve("quick.example", CancellationToken.None);
        asked.Count.ShouldBe(1);
        answers.Set();
        (await next).ShouldBe([IPAddress.Loopback]);
        asked.Values.ShouldBe(["silent.example", "quick.example"]);
    }

    [Fact]
    public async Task However_many_they_are_they_delay_the_others_by_a_moment_only()
    {
        using var names = Names(2, late: 2);
        var silent = await Silent(names, 2);
        var quick = names.Resolve("quick.example", CancellationToken.None);
        asked.Count.ShouldBe(2);

        clock.Advance(NameLookUps.Moment);

        (await quick.WaitAsync(Eventually.Limit, TimeProvider.System)).ShouldBe([IPAddress.Loopback]);
        silent.ShouldAllBe(look => !look.IsCompleted);
        answers.Set();
        await Task.WhenAll(silent);
    }

    /// <summary>Each keeps a thread: who could have all of them would have the machine.</summary>
    [Fact]
    public async Task There_is_an_end_to_how_many_are_under_way()
    {
        using var names = Names(2, late: 1);
        var silent = await Silent(names, 2);
        clock.Advance(NameLookUps.Moment);
        silent.Add(names.Resolve("silent2.example", CancellationToken.None));
        await asked.WaitForCount(3);
        await clock.WaitForTimersAsync(1);
        clock.Advance(NameLookUps.Moment);

        var quick = names.Resolve("quick.example", CancellationToken.None);
        asked.Count.ShouldBe(3);
        quick.IsCompleted.ShouldBeFalse();

        answers.Set();
        await Task.WhenAll(silent);
        (await quick).ShouldBe([IPAddress.Loopback]);
        var again = names.Resolve("silent3.example", CancellationToken.None);   // every place was given back
        (await again).ShouldBe([IPAddress.Loopback]);
    }

    [Fact]
    public async Task What_cannot_be_resolved_is_said_so_and_asked_anew()
    {
        using var names = new NameLookUps(1, 0, _ => throw new System.Net.Sockets.SocketException(), clock);

        for (var i = 0; i < 2; i++)
        {
            await Should.ThrowAsync<System.Net.Sockets.SocketException>(() => names.Resolve("nowhere.example", CancellationToken.None));
        }
    }

    private NameLookUps Names(int most, int late = 0) => new(most, late, LookUp, clock);

    /// <summary>Asks for names whose servers are silent, until each is under way.</summary>
    private async Task<List<Task<IPAddress[]>>> Silent(NameLookUps names, int count)
    {
        var silent = Enumerable.Range(0, count).Select(i => names.Resolve($"silent{i}.example", CancellationToken.None)).ToList();
        await asked.WaitForCount(count);
        await clock.WaitForTimersAsync(count);
        return silent;
    }

    private IPAddress[] LookUp(string name)
    {
        asked.Add(name);
        if (name.StartsWith("silent", StringComparison.Ordinal))
        {
            answers.Wait();
        }

        return [IPAddress.Loopback];
    }
}
