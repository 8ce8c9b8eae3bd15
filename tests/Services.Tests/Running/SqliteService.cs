using Microsoft.EntityFrameworkCore;
using Outbox.Testing;

namespace Services.Tests;

/// <summary>A service on a SQLite file of its own; a fixture where a class shares one.</summary>
public sealed class SqliteService<TDb> : IAsyncLifetime
    where TDb : DbContext
{
    private readonly TestDatabase database = TestDatabase.Sqlite();

    public SqliteService() => (App, Client) = Start();

    public ServiceApp<TDb> App { get; }

    public HttpClient Client { get; }

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync()
    {
        await App.DisposeAsync();
        await database.DisposeAsync();
    }

    private (ServiceApp<TDb> App, HttpClient Client) Start()
    {
        var app = new ServiceApp<TDb>(database);
        return (app, app.CreateClient());
    }
}

/// <summary>Tests that each get a service of their own.</summary>
public abstract class ServiceTests<TDb> : IAsyncLifetime
    where TDb : DbContext
{
    private readonly SqliteService<TDb> service = new();

    protected ServiceApp<TDb> App => service.App;

    protected HttpClient Client => service.Client;

    public Task InitializeAsync() => Task.CompletedTask;

    public Task DisposeAsync() => service.DisposeAsync();
}
