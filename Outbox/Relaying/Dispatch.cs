namespace Outbox.Relaying;

/// <summary>
/// Keeps as many messages of the window on their way as may be: each answer of the broker starts the next send by
/// itself. Stops of its own accord when something breaks, until the loop has found out what.
/// </summary>
internal sealed class Dispatch(MessageWindow window, Sender sender, BrokerLink link, FailurePolicy policy, OutboxOptions options, TimeProvider time)
{
    private static readonly TimeSpan ConnectLimit = TimeSpan.FromSeconds(5);

    // So long a broken channel may still be handed out before the transport replaces it.
    private static readonly TimeSpan Settle = TimeSpan.FromSeconds(1);

    // Bodies on their way are in memory too: a backlog of large ones must not fill it.
    private const long BatchesInMemory = 2;

    private readonly Lock _gate = new();
    private readonly Dictionary<long, Delivery> _underway = [];
    private Term? _term;
    private int _pumps;
    private long _lastConfirmed;
    private long? _brokenAt;

    /// <summary>Raised when the broker has answered and there is something to write or room to read.</summary>
    public WakeUp Answered { get; } = new();

    /// <summary>Whether there is more to read, once there is room for it.</summary>
    public bool IsHungry { get; set; }

    /// <summary>Whether enough was answered to be worth a statement.</summary>
    public bool HasEnough => window.SettledCount >= options.QueryMessageLimit / 2 || (window.InFlight == 0 && window.SettledCount > 0);

    /// <summary>Whether so little waits that another read is welcome: while it goes on, and a write before it, the sends must not run dry.</summary>
    public bool HasRoom => window.Waiting <= options.QueryMessageLimit && window.Bytes < BatchesInMemory * options.QueryByteLimit;

    /// <summary>Whether a send may begin at this moment.</summary>
    public bool MayStart => Volatile.Read(ref _term) is { MayStartSending: true };

    /// <summary>Whether sends may begin.</summary>
    public bool IsOpen => Volatile.Read(ref _term) is not null;

    /// <summary>Whether something broke so recently that what is to be found out now would be found out too early.</summary>
    public bool IsSettling => _brokenAt is { } broken && time.GetElapsedTime(broken) < Settle;

    /// <summary>What broke, since it was opened.</summary>
    public Exception? Break { get; private set; }

    /// <summary>Sends may begin, for as long as the term lasts.</summary>
    public void Open(Term term)
    {
        (Break, _brokenAt) = (null, null);
        Volatile.Write(ref _term, term);
        Pump();
    }

    /// <summary>No send begins any more; those that have not reached the transport are given up.</summary>
    public void Close()
    {
        if (Interlocked.Exchange(ref _term, null) is null)
            return;
        foreach (var delivery in Underway().Where(d => !d.ReachedTransport))
            delivery.GiveUp();
    }

    /// <summary>Starts as many sends as may be on their way.</summary>
    public void Pump()
    {
        // One at a time; who comes meanwhile makes the one that is at it look again.
        if (Interlocked.Increment(ref _pumps) != 1)
            return;
        int seen;
        do
        {
            seen = Volatile.Read(ref _pumps);
            while (MayStart && window.Next(out var alone) is { } message)
                Start(message, alone);
        }
        while (Interlocked.Add(ref _pumps, -seen) != 0);
    }

    /// <summary>
    /// Gives up what the broker does not answer, and closes when it cannot even be reached. When something broke, those that were on
    /// their way hear of it soon, or never: the transport may have lost them.
    /// </summary>
    public void GiveUpLate()
    {
        sender.Inspect();
        var isLost = !IsOpen && _brokenAt is { } broken && time.GetElapsedTime(broken) >= ConnectLimit;
        foreach (var delivery in Underway())
        {
            var age = time.GetElapsedTime(delivery.StartedAt);
            if (age >= options.MessageDeliveryTimeout)
            {
                delivery.TimeOut();
            }
            else if (isLost)
            {
                delivery.GiveUp();
            }
            else if (!delivery.ReachedTransport && age >= ConnectLimit)
            {
                Close();
                delivery.GiveUp();
            }
        }
    }

    /// <summary>Nothing is on its way: what the transport still holds of what was is left behind, and the next send begins anew.</summary>
    public Task LetGo() => sender.LetGo();

    /// <summary>Gives up whatever is still on its way.</summary>
    public void GiveUpAll()
    {
        foreach (var delivery in Underway())
            delivery.GiveUp();
    }

    /// <summary>A delivery has come to its end.</summary>
    public void Ended(Delivery delivery, Outcome outcome)
    {
        lock (_gate)
            _underway.Remove(delivery.Message.SequenceNumber);

        if (outcome.Kind == OutcomeKind.Interrupted)
        {
            // A time-out is nobody's fault. It is the message's own trouble while the broker answers for others.
            if (delivery.HasTimedOut && Volatile.Read(ref _lastConfirmed) > delivery.StartedAt)
                outcome = outcome with { Kind = OutcomeKind.Unanswered };

            // Only one that breaks the channel alone, or is not answered alone, while the broker is there, is to blame for it.
            else if (delivery is { IsAlone: true, IsFaulted: true } or { IsAlone: true, HasTimedOut: true })
            {
                _ = Judge(delivery, outcome);
                return;
            }
        }

        Finish(delivery, outcome);
    }

    private IReadOnlyList<Delivery> Underway()
    {
        lock (_gate)
            return [.. _underway.Values];
    }

    private void Start(StoredMessage message, bool alone)
    {
        if (message.IsExpired(time.GetUtcNow().UtcDateTime))
        {
            Finish(message, Outcome.Expired);
            return;
        }

        Delivery delivery;
        try
        {
            delivery = new Delivery(message, alone, this, time);
        }
        catch (Exception exception)                        // what is stored cannot be read
        {
            Finish(message, new Outcome(OutcomeKind.Refused, exception));
            return;
        }

        lock (_gate)
            _underway[message.SequenceNumber] = delivery;

        // Closed meanwhile: either Close has seen it among those underway, or it is seen here.
        if (IsOpen)
            _ = sender.Send(delivery);
        else
            delivery.GiveUp();
    }

    private async Task Judge(Delivery delivery, Outcome outcome)
    {
        var isToBlame = await IsToBlame().ConfigureAwait(false);
        Finish(delivery, (isToBlame, delivery.HasTimedOut) switch
        {
            (false, _) => outcome,
            (true, true) => outcome with { Kind = OutcomeKind.Unanswered },
            (true, false) => outcome with { Kind = OutcomeKind.Refused, BreaksChannel = true },
        });
    }

    private void Finish(Delivery delivery, Outcome outcome)
    {
        var message = delivery.Message;
        delivery.Release();
        Finish(message, outcome);
    }

    private void Finish(StoredMessage message, Outcome outcome)
    {
        if (outcome.IsOpen)
        {
            Break ??= outcome.Error;
            _brokenAt ??= time.GetTimestamp();
            Close();
        }

        if (outcome.Kind == OutcomeKind.Confirmed)
            Volatile.Write(ref _lastConfirmed, time.GetTimestamp());

        window.Finish(message, outcome, policy.Holds(message, outcome));
        Pump();
        if (window.InFlight == 0 || HasEnough || (IsHungry && HasRoom))
            Answered.Raise();
    }

    private async Task<bool> IsToBlame()
    {
        await Task.Delay(Settle, time, CancellationToken.None).ConfigureAwait(false);

        // It was alone, so nothing else is on its way; and what it went by may have been broken before.
        await LetGo().ConfigureAwait(false);
        return await link.IsUp(CancellationToken.None).ConfigureAwait(false);
    }
}
