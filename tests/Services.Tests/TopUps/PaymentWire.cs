namespace Services.Tests;

/// <summary>What lies between Users.Api and the payment provider: a request, or its answer, can be held up on the way.</summary>
public sealed class PaymentWire
{
    private readonly Lock turn = new();
    private readonly List<Hold> holds = [];

    /// <summary>Holds up the next charge before the provider sees it.</summary>
    public Hold HoldCharge() => Add(request => request.Method == HttpMethod.Post && !IsVoid(request), before: true);

    /// <summary>Holds up the answer to the next charge.</summary>
    public Hold HoldChargeAnswer() => Add(request => request.Method == HttpMethod.Post && !IsVoid(request), before: false);

    /// <summary>Holds up the next void before the provider sees it.</summary>
    public Hold HoldVoid() => Add(IsVoid, before: true);

    /// <summary>Which requests are answered by 400, and the provider never sees them.</summary>
    public Predicate<HttpRequestMessage>? Refuses { get; set; }

    /// <summary>A handler that leads to the provider.</summary>
    public DelegatingHandler To(HttpMessageHandler provider) => new Handler(this) { InnerHandler = provider };

    private static bool IsVoid(HttpRequestMessage request) => request.RequestUri!.AbsolutePath.EndsWith("/void", StringComparison.Ordinal);

    private Hold Add(Predicate<HttpRequestMessage> which, bool before)
    {
        var hold = new Hold(which, before);
        lock (turn)
        {
            holds.Add(hold);
        }

        return hold;
    }

    private Hold? Take(HttpRequestMessage request, bool before)
    {
        lock (turn)
        {
            var hold = holds.Find(h => h.Before == before && h.Which(request));
            _ = hold is not null && holds.Remove(hold);
            return hold;
        }
    }

    /// <summary>A request, or its answer, that does not go on until it is let go.</summary>
    public sealed class Hold(Predicate<HttpRequestMessage> which, bool before)
    {
        private readonly TaskCompletionSource arrived = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly TaskCompletionSource released = new(TaskCreationOptions.RunContinuationsAsynchronously);

        /// <summary>Completes when it is there.</summary>
        public Task Arrived => arrived.Task.WaitAsync(Outbox.Testing.Eventually.Limit, TimeProvider.System);

        internal Predicate<HttpRequestMessage> Which => which;

        internal bool Before => before;

        /// <summary>Lets it go on.</summary>
        public void Release() => released.TrySetResult();

        // Like a paused process it hears of no time-out meanwhile.
        internal Task Pass()
        {
            arrived.TrySetResult();
            return released.Task;
        }
    }

    private sealed class Handler(PaymentWire wire) : DelegatingHandler
    {
        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            if (wire.Refuses?.Invoke(request) == true)
            {
                return new HttpResponseMessage(System.Net.HttpStatusCode.BadRequest);
            }

            if (wire.Take(request, before: true) is { } before)
            {
                await before.Pass();
                return await Ask(request, CancellationToken.None);
            }

            if (wire.Take(request, before: false) is { } after)
            {
                var answer = await Ask(request, CancellationToken.None);
                await after.Pass();
                return answer;
            }

            return await Ask(request, cancellationToken);
        }

        // Over a real socket a connection that breaks is told like this.
        private async Task<HttpResponseMessage> Ask(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            try
            {
                return await base.SendAsync(request, cancellationToken);
            }
            catch (Exception exception) when (!cancellationToken.IsCancellationRequested)
            {
                throw new HttpRequestException("The connection broke.", exception);
            }
        }
    }
}
