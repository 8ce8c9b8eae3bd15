using System.Text.Json.Nodes;
using ServiceDefaults;

namespace Simulators;

/// <summary>What the merchant was sent, and the secret that it checks signatures with.</summary>
internal sealed class MerchantBook : IDisposable
{
    /// <summary>The secret at the first start; one that was put later wins.</summary>
    public const string SecretSetting = "Merchant:Secret";

    private readonly Lock turn = new();
    private readonly List<ReceivedWebhook> received = [];
    private readonly Journal<Entry> journal;
    private byte[]? secret;

    public MerchantBook(string path, string? configured)
    {
        secret = string.IsNullOrWhiteSpace(configured)
            ? null
            : WebhookSignature.ReadSecret(configured) ?? throw new StartException(
                $"{Settings.EnvironmentName(SecretSetting)} is no secret: expected whsec_ and base64 of 24 to 64 bytes.");
        journal = new Journal<Entry>(path);
        foreach (var entry in journal.Read())
        {
            Apply(entry);
        }
    }

    public byte[]? Secret
    {
        get
        {
            lock (turn)
            {
                return secret;
            }
        }
    }

    public void ChangeSecret(string text) => Write(_ => new Entry(text, null));

    /// <summary>Notes a webhook whose signature is right, however it is answered.</summary>
    public void Add(string webhookId, DateTime receivedAt, MerchantMode mode, JsonNode? body) =>
        Write(count => new Entry(null, new ReceivedWebhook(count + 1, webhookId, receivedAt, mode, body)));

    /// <summary>Some of what was received, in its order.</summary>
    public List<ReceivedWebhook> Read(long after, int count)
    {
        lock (turn)
        {
            return [.. received.Skip((int)Math.Min(after, received.Count)).Take(count)];
        }
    }

    public void Dispose() => journal.Dispose();

    private void Write(Func<int, Entry> make)
    {
        lock (turn)
        {
            var entry = make(received.Count);
            journal.Add(entry);
            Apply(entry);
        }
    }

    private void Apply(Entry entry)
    {
        if (entry.Secret is { } text)
        {
            secret = WebhookSignature.ReadSecret(text);
        }

        if (entry.Received is { } webhook)
        {
            received.Add(webhook);
        }
    }

    private sealed record Entry(string? Secret, ReceivedWebhook? Received);
}

/// <summary>A webhook that arrived.</summary>
/// <param name="Number">1, 2, 3, ...</param>
/// <param name="WebhookId">The sender's <c>webhook-id</c>: the same on every attempt.</param>
/// <param name="ReceivedAt">UTC.</param>
/// <param name="Mode">How it was answered.</param>
/// <param name="Body">The body.</param>
public sealed record ReceivedWebhook(long Number, string WebhookId, DateTime ReceivedAt, MerchantMode Mode, JsonNode? Body);
