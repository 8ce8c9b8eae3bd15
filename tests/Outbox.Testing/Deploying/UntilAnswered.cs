namespace Outbox.Testing;

/// <summary>Who gets no answer, or 503, asks again at the next replica, until there is one.</summary>
/// <param name="entrances">The replicas.</param>
internal sealed class UntilAnswered(IReadOnlyList<Uri> entrances)
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(50);

    private int _unanswered;

    /// <summary>How long anybody keeps asking.</summary>
    public static TimeSpan Patience { get; } = Eventually.Limit * 8;

    /// <summary>How many requests were never answered and were sent again.</summary>
    public int Unanswered => Volatile.Read(ref _unanswered);

    /// <summary>The replica of that number; they take turns.</summary>
    public Uri Entrance(int number) => entrances[number % entrances.Count];

    /// <summary>Asks.</summary>
    /// <param name="who">Whose question it is, for messages.</param>
    /// <param name="entrance">The replica to begin with.</param>
    /// <param name="ask">Asks one replica; it throws what says that there was no answer.</param>
    public async Task<T> AskAsync<T>(string who, int entrance, Func<Uri, Task<T>> ask)
    {
        var started = TimeProvider.System.GetTimestamp();
        while (true)
        {
            try
            {
                return await ask(Entrance(entrance++));
            }
            catch (Exception exception) when (exception is HttpRequestException or IOException or TaskCanceledException)
            {
                Interlocked.Increment(ref _unanswered);
                if (TimeProvider.System.GetElapsedTime(started) > Patience)
                    throw new TimeoutException($"{who} was not answered within {Patience}; last: {exception.Message}", exception);
                await Task.Delay(Pause, TimeProvider.System);
            }
        }
    }
}
