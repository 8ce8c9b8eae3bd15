using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Outbox.Testing;

namespace Outbox.ConformanceTests;

/// <summary>What a host logs, from information on, line by line.</summary>
public sealed class RecordedLogs : ILoggerProvider
{
    public SignalLog<Line> Lines { get; } = new();

    /// <summary>Has the host's logs written down here.</summary>
    public void Record(IServiceCollection services)
        => services.AddLogging(logging => logging.SetMinimumLevel(LogLevel.Information).AddProvider(this));

    /// <summary>The lines of the relay so far.</summary>
    public IEnumerable<Line> Of(int id) => Lines.Values.Where(line => line.Id == id);

    public ILogger CreateLogger(string categoryName) => new Writer(categoryName, Lines);

    public void Dispose()
    {
    }

    public sealed record Line(int Id, LogLevel Level, string Category, string Text, Exception? Exception);

    private sealed class Writer(string category, SignalLog<Line> lines) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
            => lines.Add(new Line(eventId.Id, logLevel, category, formatter(state, exception), exception));
    }
}
