using Microsoft.AspNetCore.Builder;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace ServiceDefaults;

/// <summary>Adds a service's database.</summary>
public static class DatabaseExtensions
{
    /// <summary>
    /// Adds the DbContext for the configured database, its migrations at start and its part in readiness.
    /// </summary>
    /// <typeparam name="TDb">The abstract context that the service's code asks for.</typeparam>
    /// <typeparam name="TSqlite">The one that holds the migrations for SQLite.</typeparam>
    /// <typeparam name="TPostgres">The one that holds the migrations for PostgreSQL.</typeparam>
    /// <typeparam name="TSqlServer">The one that holds the migrations for SQL Server.</typeparam>
    /// <param name="builder">The service.</param>
    /// <param name="name">The connection string's name.</param>
    public static void AddDatabase<TDb, TSqlite, TPostgres, TSqlServer>(this WebApplicationBuilder builder, string name)
        where TDb : DbContext
        where TSqlite : TDb
        where TPostgres : TDb
        where TSqlServer : TDb
    {
        switch (builder.Configuration.DatabaseProvider())
        {
            case DatabaseProvider.Sqlite:
                var file = builder.Configuration.Sqlite(name);
                builder.Services.AddDbContext<TDb, TSqlite>(options => options
                    .UseSqlite(file)
                    .AddInterceptors(PatientSqlite.Instance));
                break;
            case DatabaseProvider.Postgres:
                var postgres = builder.Configuration.Postgres(name);
                builder.Services.AddDbContext<TDb, TPostgres>(options => options.UseNpgsql(postgres));
                break;
            default:
                var sqlServer = builder.Configuration.SqlServer(name);
                builder.Services.AddDbContext<TDb, TSqlServer>(options => options.UseSqlServer(sqlServer));
                break;
        }

        builder.Services.AddScoped<IStartStep>(services => ActivatorUtilities.CreateInstance<MigrateAtStart>(
            services, services.GetRequiredService<TDb>(), name));
        builder.Services.AddHealthChecks().AddCheck<DatabaseHealth<TDb>>(
            $"database-{name.ToLowerInvariant()}", tags: [Health.Ready], timeout: TimeSpan.FromSeconds(5));
    }
}
