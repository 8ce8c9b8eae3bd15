using System.Net.Http.Json;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Mvc.Testing;
using Microsoft.AspNetCore.TestHost;
using Microsoft.Extensions.DependencyInjection;
using Simulators;

namespace Services.Tests;

/// <summary>The payment provider and the merchant in this process, with a folder of their own.</summary>
public sealed class SimulatorApp : WebApplicationFactory<ChargeRequest>
{
    private readonly bool ownFolder;

    public SimulatorApp() => (Folder, ownFolder) = (Directory.CreateTempSubdirectory("outbox-simulators").FullName, true);

    /// <summary>Starts on what another one has left; the caller keeps the folder.</summary>
    public SimulatorApp(string folder) => Folder = folder;

    /// <summary>What they remember.</summary>
    public string Folder { get; }

    /// <summary>The time there; by default that of everybody.</summary>
    public DateTimeOffset? Now { get; init; }

    /// <summary>Answers over a socket from now on, and says where.</summary>
    public Uri Listen()
    {
        UseKestrel(0);
        StartServer();
        return ClientOptions.BaseAddress;
    }

    /// <summary>Chooses how the provider deals with the next charges.</summary>
    public Task SetPayments(string mode, int? times = null) => Put("/payments/behaviour", new { mode, times });

    /// <summary>Chooses how the merchant answers the next webhooks.</summary>
    public Task SetMerchant(string mode, int? times = null) => Put("/merchant/behaviour", new { mode, times });

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        if (ownFolder)
        {
            Directory.Delete(Folder, recursive: true);
        }
    }

    protected override void ConfigureWebHost(IWebHostBuilder builder)
    {
        builder.UseSetting(SimulatorsModule.Folder, Folder);
        builder.UseSetting("Logging:LogLevel:Default", "None");
        if (Now is { } now)
        {
            builder.ConfigureTestServices(services => services.AddSingleton<TimeProvider>(new StoppedClock(now)));
        }
    }

    private async Task Put<T>(string path, T body)
    {
        using var client = CreateClient();
        (await client.PutAsJsonAsync(path, body)).EnsureSuccessStatusCode();
    }
}
