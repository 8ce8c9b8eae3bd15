using System.Net;
using Notifications.Sending;
using Outbox.Testing;

namespace Services.Tests;

/// <summary>Names whose servers are silent.</summary>
public sealed class NameLookUpTests
{
    private readonly SignalLog<string> asked = new();
    private readonly ManualResetEventSlim answers = new();

    [Fact]
    public async Task A_silent_one_keeps_none_from_the_others()
    {
        using var names = new NameLookUps(2, LookUp);
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
        using var names = new NameLookUps(2, LookUp);
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
        using var names = new NameLookUps(1, LookUp);
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
    public async Task What_cannot_be_resolved_is_said_so_and_asked_anew()
    {
        using var names = new NameLookUps(1, _ => throw new System.Net.Sockets.SocketException());

        for (var i = 0; i < 2; i++)
        {
            await Should.ThrowAsync<System.Net.Sockets.SocketException>(() => names.Resolve("nowhere.example", CancellationToken.None));
        }
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
