using MassTransit;
using Microsoft.EntityFrameworkCore;
using ServiceDefaults;

namespace Notifications;

/// <summary>Sees to it that the receiver <c>default</c> exists and answers to the configured key.</summary>
internal sealed class RegisterDefaultReceiver(NotificationsDb db, IConfiguration configuration, TimeProvider time) : IStartStep
{
    public const string Name = "default";

    public async Task Run(CancellationToken cancellationToken)
    {
        var hash = ApiKey.Hash(ApiKey.Configured(configuration));
        if (await SetKey(hash, cancellationToken))
        {
            return;
        }

        db.Receivers.Add(new Receiver { Id = NewId.NextGuid(), Name = Name, ApiKeyHash = hash, CreatedAt = time.UtcNow() });
        try
        {
            await db.SaveChangesAsync(cancellationToken);
        }
        catch (DbUpdateException exception) when (exception.IsDuplicateKey())
        {
            await SetKey(hash, cancellationToken);   // another replica started at the same moment
        }
    }

    private async Task<bool> SetKey(string hash, CancellationToken cancellationToken) =>
        await db.Receivers.Where(r => r.Name == Name)
            .ExecuteUpdateAsync(set => set.SetProperty(r => r.ApiKeyHash, hash), cancellationToken) > 0;
}
