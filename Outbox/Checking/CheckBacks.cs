using MassTransit;
using Microsoft.Extensions.DependencyInjection;
using Outbox.Checking;

namespace Outbox;

/// <summary>Which message types can be prepared, and who answers for them.</summary>
internal sealed class CheckBacks
{
    private readonly List<CheckBack> _all = [];
    private readonly HashSet<Type> _declared = [];

    public IReadOnlyList<CheckBack> All => _all;

    public bool Any => _all.Count > 0;

    /// <summary>The declared types.</summary>
    public void Declare(Type messageType) => _declared.Add(messageType);

    public void Add(CheckBack checkBack) => _all.Add(checkBack);

    /// <summary>Who answers for a type, if somebody does.</summary>
    public CheckBack? For(Type messageType) => _all.Find(c => c.MessageType == messageType);

    /// <summary>Who answers for a stored message, if somebody in this process does.</summary>
    /// <param name="messageTypes">Its URNs, separated by semicolons, the most specific first.</param>
    public CheckBack? For(string messageTypes)
    {
        var first = messageTypes.AsSpan();
        if (first.IndexOf(';') is >= 0 and var end)
            first = first[..end];
        foreach (var checkBack in _all)
        {
            if (first.SequenceEqual(checkBack.Urn))
                return checkBack;
        }

        return null;
    }

    /// <summary>What is wrong, one sentence each.</summary>
    public IEnumerable<string> Problems()
    {
        foreach (var type in _declared.Where(t => For(t) is null))
            yield return $"{type.Name} is declared as a half message and needs a check-back; found none. Call AddCheckBack<{type.Name}, ...>() with its ICheckBack<{type.Name}>.";
        foreach (var type in _all.GroupBy(c => c.MessageType).Where(g => g.Count() > 1))
            yield return $"{type.Key.Name} must have one check-back; found {string.Join(" and ", type.Select(c => c.CheckerType.Name))}.";
        foreach (var checkBack in _all)
        {
            foreach (var problem in checkBack.Options.Problems())
                yield return $"Check-back of {checkBack.MessageType.Name}: {problem}";
        }
    }
}

/// <summary>Who answers for one message type, and how it is asked.</summary>
internal abstract class CheckBack(Type messageType, Type checkerType, OutboxOptions defaults, Action<CheckBackOptions>? configure)
{
    public Type MessageType { get; } = messageType;

    public Type CheckerType { get; } = checkerType;

    /// <summary>What the relay knows the type by.</summary>
    public string Urn { get; } = MessageUrn.ForTypeString(messageType);

    /// <summary>Built when first asked for: the defaults may be set after the check-back was added.</summary>
    public CheckBackOptions Options => field ??= Build();

    /// <summary>Asks what became of the local work.</summary>
    public abstract Task<CheckBackAnswer> Ask(IServiceProvider services, OutboxMessage row, CancellationToken cancellationToken);

    /// <summary>Tells that an operator has decided, before it is saved.</summary>
    public abstract Task Tell(IServiceProvider services, OutboxMessage row, CheckBackAnswer decision, CancellationToken cancellationToken);

    /// <summary>Who answers, made for a scope.</summary>
    public object Checker(IServiceProvider services) => services.GetRequiredService(CheckerType);

    private CheckBackOptions Build()
    {
        var options = new CheckBackOptions(defaults);
        configure?.Invoke(options);
        return options;
    }
}

/// <inheritdoc/>
internal sealed class CheckBack<TMessage, TChecker>(OutboxOptions defaults, Action<CheckBackOptions>? configure)
    : CheckBack(typeof(TMessage), typeof(TChecker), defaults, configure)
    where TMessage : class
    where TChecker : class, ICheckBack<TMessage>
{
    public override Task<CheckBackAnswer> Ask(IServiceProvider services, OutboxMessage row, CancellationToken cancellationToken)
        => services.GetRequiredService<TChecker>().Check(Message(services, row), cancellationToken);

    public override Task Tell(IServiceProvider services, OutboxMessage row, CheckBackAnswer decision, CancellationToken cancellationToken)
        => ((ICheckBack<TMessage>)services.GetRequiredService<TChecker>()).OperatorDecided(Message(services, row), decision, cancellationToken);

    // Markers go by the message's id: one whose body cannot be read is answered for as well.
    private static TMessage Message(IServiceProvider services, OutboxMessage row) => typeof(TChecker).IsAssignableTo(typeof(IMarkers))
        ? null!
        : services.GetRequiredService<MessageReader>().Read<TMessage>(row);
}
