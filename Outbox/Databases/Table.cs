using MassTransit;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata;
using Microsoft.EntityFrameworkCore.Storage;

namespace Outbox.Databases;

/// <summary>The quoted names of a table and its columns, as the model maps them.</summary>
internal sealed class Table
{
    private readonly Dictionary<string, string> _columns;

    private Table(string name, Dictionary<string, string> columns) => (Name, _columns) = (name, columns);

    public string Name { get; }

    /// <summary>The quoted column of a property.</summary>
    public string this[string property] => _columns[property];

    public static Table Of<TEntity>(IModel model, ISqlGenerationHelper sql)
    {
        var entity = model.FindEntityType(typeof(TEntity)) ?? throw new ConfigurationException(
            $"The model must contain {typeof(TEntity).Name}; found none. Call modelBuilder.AddTransactionalOutboxEntities() in OnModelCreating.");
        var table = StoreObjectIdentifier.Create(entity, StoreObjectType.Table)
            ?? throw new ConfigurationException($"{typeof(TEntity).Name} must be mapped to a table; found none.");
        return new Table(
            sql.DelimitIdentifier(table.Name, table.Schema),
            entity.GetProperties().ToDictionary(p => p.Name, p => sql.DelimitIdentifier(p.GetColumnName(table)!), StringComparer.Ordinal));
    }

    public override string ToString() => Name;
}
