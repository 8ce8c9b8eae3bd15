using System.Globalization;
using System.Runtime.CompilerServices;

namespace Outbox.Testing;

/// <summary>Waits until something becomes true, by asking again and again; fails with what it saw last.</summary>
public static class Eventually
{
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(5);
    private static readonly TimeSpan LongestPause = TimeSpan.FromMilliseconds(250);

    /// <summary>How long to wait: 30 s times <c>OUTBOX_TEST_TIME_SCALE</c> (for slow machines; default 1).</summary>
    public static TimeSpan Limit { get; } = TimeSpan.FromSeconds(30) * Scale();

    /// <summary>Reads until the value is as wanted, and returns it.</summary>
    /// <exception cref="TimeoutException">The limit passed; the message holds the last value or exception.</exception>
    public static async Task<T> Get<T>(
        Func<Task<T>> read,
        Func<T, bool> until,
        TimeSpan? limit = null,
        [CallerArgumentExpression(nameof(until))] string wanted = "")
    {
        var seen = "nothing: the first reading has not ended";
        Exception? thrown = null;
        var started = TimeProvider.System.GetTimestamp();
        for (var pause = FirstPause; ; pause = pause * 2 < LongestPause ? pause * 2 : LongestPause)
        {
            var left = (limit ?? Limit) - TimeProvider.System.GetElapsedTime(started);
            if (left <= TimeSpan.Zero)
                throw new TimeoutException($"Expected ({wanted}) within {limit ?? Limit}; last seen: {seen}", thrown);

            try
            {
                // The reading itself may hang, as it does when a server is paused.
                var value = await read().WaitAsync(left, TimeProvider.System);
                if (until(value))
                    return value;
                (seen, thrown) = (value?.ToString() ?? "null", null);
            }
            catch (TimeoutException hung) when (TimeProvider.System.GetElapsedTime(started) >= (limit ?? Limit))
            {
                thrown ??= hung;
            }
            catch (Exception exception)
            {
                (seen, thrown) = (exception.Message, exception);
            }

            await Task.Delay(pause, TimeProvider.System);
        }
    }

    /// <inheritdoc cref="Get{T}(Func{Task{T}}, Func{T, bool}, TimeSpan?, string)"/>
    public static Task<T> Get<T>(
        Func<T> read,
        Func<T, bool> until,
        TimeSpan? limit = null,
        [CallerArgumentExpression(nameof(until))] string wanted = "") =>
        Get(() => Task.FromResult(read()), until, limit, wanted);

    /// <summary>Asks until the answer is yes.</summary>
    public static Task Is(
        Func<Task<bool>> condition,
        TimeSpan? limit = null,
        [CallerArgumentExpression(nameof(condition))] string wanted = "") =>
        Get(condition, yes => yes, limit, wanted);

    /// <inheritdoc cref="Is(Func{Task{bool}}, TimeSpan?, string)"/>
    public static Task Is(
        Func<bool> condition,
        TimeSpan? limit = null,
        [CallerArgumentExpression(nameof(condition))] string wanted = "") =>
        Get(condition, yes => yes, limit, wanted);

    /// <summary>Repeats assertions until none throws: <c>await Eventually.Holds(async () => (await Count()).ShouldBe(3))</c>.</summary>
    public static Task Holds(
        Func<Task> assertions,
        TimeSpan? limit = null,
        [CallerArgumentExpression(nameof(assertions))] string wanted = "") =>
        Get(async () => { await assertions(); return true; }, yes => yes, limit, wanted);

    /// <inheritdoc cref="Holds(Func{Task}, TimeSpan?, string)"/>
    public static Task Holds(
        Action assertions,
        TimeSpan? limit = null,
        [CallerArgumentExpression(nameof(assertions))] string wanted = "") =>
        Get(() => { assertions(); return true; }, yes => yes, limit, wanted);

    private static double Scale() =>
        double.TryParse(
            Environment.GetEnvironmentVariable("OUTBOX_TEST_TIME_SCALE"), NumberStyles.Float, CultureInfo.InvariantCulture, out var scale)
        && scale > 0 ? scale : 1;
}
