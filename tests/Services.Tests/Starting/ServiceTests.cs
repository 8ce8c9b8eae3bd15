using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Outbox.Testing;
using ServiceDefaults;

namespace Services.Tests;

/// <summary>The start of a service, in this process.</summary>
public sealed class ServiceTests
{
    private readonly TaskCompletionSource preparing = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource mapping = new(TaskCreationOptions.RunContinuationsAsynchronously);

    [Fact]
    public async Task Its_steps_are_done_while_its_endpoints_are_mapped()
    {
        var code = await Run(new Step(async () =>
        {
            preparing.SetResult();
            await mapping.Task.WaitAsync(Eventually.Limit);
        }));

        code.ShouldBe(0);
    }

    [Fact]
    public async Task A_step_that_fails_while_endpoints_are_mapped_stops_the_start()
    {
        var code = await Run(new Step(() =>
        {
            preparing.SetResult();
            throw new StartException("not today");
        }));

        code.ShouldBe(1);
        mapping.Task.IsCompletedSuccessfully.ShouldBeTrue("what is taken apart must not be in use any more");
    }

    private Task<int> Run(IStartStep step) => Service.Run(
        ["--urls", "http://127.0.0.1:0"],
        port: 0,
        builder => builder.Services.AddSingleton(step),
        app =>
        {
            preparing.Task.Wait(Eventually.Limit).ShouldBeTrue("the steps should have begun");
            mapping.SetResult();
            app.Lifetime.ApplicationStarted.Register(app.Lifetime.StopApplication);
        });

    private sealed class Step(Func<Task> work) : IStartStep
    {
        public Task Run(CancellationToken cancellationToken) => work();
    }
}
