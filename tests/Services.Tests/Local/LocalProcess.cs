using System.Globalization;
using System.Net.Http.Headers;
using Outbox.Testing;

namespace Services.Tests;

/// <summary>Local as its user runs it: started and killed, on one data folder and one port.</summary>
internal sealed class LocalProcess : IAsyncDisposable
{
    private readonly int port = FreePort.Next();
    private ServiceProcess? service;

    public LocalProcess()
    {
        Data = Directory.CreateTempSubdirectory("outbox-local").FullName;
        Client = new HttpClient { BaseAddress = new Uri($"http://localhost:{port}"), Timeout = TimeSpan.FromSeconds(10) };
    }

    public string Data { get; }

    public HttpClient Client { get; }

    public ServiceProcess Service => service ?? throw new InvalidOperationException("It was not started.");

    public string KeyFile => Path.Combine(Data, "receiver.key");

    /// <summary>Starts a process on this folder, on its own port or another.</summary>
    public ServiceProcess Launch(int? otherPort = null) => ServiceProcess.Start(
        ServiceProcess.AssemblyOf("Local"),
        new Dictionary<string, string?>(StringComparer.Ordinal)
        {
            ["LOCAL_DATA"] = Data,
            ["LOCAL_PORT"] = (otherPort ?? port).ToString(CultureInfo.InvariantCulture),
        });

    public async Task Start()
    {
        service = Launch();
        await service.WaitForHealthAsync(new Uri(Client.BaseAddress!, "/health/ready"));
        Client.DefaultRequestHeaders.Authorization =
            new AuthenticationHeaderValue("Bearer", await File.ReadAllTextAsync(KeyFile));
    }

    public async Task Kill()
    {
        await Service.KillAsync();
        await Service.DisposeAsync();
    }

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        await (service?.DisposeAsync() ?? ValueTask.CompletedTask);
        Directory.Delete(Data, recursive: true);
    }
}
