using Outbox.Testing;

namespace Chaos.Tests;

/// <summary>
/// Kills replicas (SIGKILL) while a crowd registers, and starts each again at once, without waiting for it: several
/// may be down at a time, and one may be killed while it starts. Each has its turn before any has a second one.
/// </summary>
internal sealed class Killer(IReadOnlyList<ServiceReplica> replicas, Action<string> report)
{
    private readonly Random _random = new(Scale.Seed);
    private readonly Queue<ServiceReplica> _turns = new();

    /// <summary>Kills so many times, evenly over the crowd's progress.</summary>
    public async Task KillAsync(int times, Crowd crowd)
    {
        report($"OUTBOX_SEED={Scale.Seed}");
        for (var kill = 1; kill <= times; kill++)
        {
            await crowd.ReachAsync(kill * crowd.Users / (times + 1));
            await Task.Delay(TimeSpan.FromMilliseconds(_random.Next(500)), TimeProvider.System);
            var victim = NextVictim();
            if (!victim.IsRunning)
                throw new InvalidOperationException($"Nobody killed it: {victim}");
            await victim.KillAsync();
            victim.Start();
            report($"{victim.Name} killed at {crowd.Answered.Count} of {crowd.Users} answered");
        }
    }

    private ServiceReplica NextVictim()
    {
        if (_turns.Count == 0)
        {
            var shuffled = replicas.ToArray();
            _random.Shuffle(shuffled);
            Array.ForEach(shuffled, _turns.Enqueue);
        }

        return _turns.Dequeue();
    }
}
