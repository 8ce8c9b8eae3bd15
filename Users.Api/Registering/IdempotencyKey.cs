using System.Security.Cryptography;
using System.Text.Json;
using Microsoft.EntityFrameworkCore;
using ServiceDefaults;

namespace Users;

/// <summary>What makes a request that is sent again count once. Without a key every request counts.</summary>
/// <remarks>
/// The key is stored in the transaction of the request's own work, under a unique index: a concurrent twin waits at the
/// index until the first has committed, and then finds its answer. A request that failed stores nothing and may be
/// sent again, corrected or not.
/// </remarks>
internal sealed record IdempotencyKey(string? Key, string RequestHash)
{
    public const string Header = "Idempotency-Key";

    private static readonly TimeSpan Kept = TimeSpan.FromHours(24);

    /// <exception cref="InvalidInputException">There is more than one key, or it is empty, too long or not made of visible ASCII characters.</exception>
    public static IdempotencyKey Read<TRequest>(IHeaderDictionary headers, string endpoint, TRequest request)
    {
        var keys = headers[Header];
        if (keys.Count > 1)
        {
            throw new InvalidInputException(Header, "must be there once at most.");
        }

        var key = (string?)keys;
        if (key is not null && (key.Length is 0 or > StoredAnswer.MaxKey || key.Any(c => c is <= ' ' or > '~')))
        {
            throw new InvalidInputException(Header, $"must be 1 to {StoredAnswer.MaxKey} visible ASCII characters.");
        }

        // Of what was understood, not of the bytes: spaces between fields do not make another request.
        byte[] meaning = [.. JsonSerializer.SerializeToUtf8Bytes(endpoint), .. JsonSerializer.SerializeToUtf8Bytes(request)];
        return new IdempotencyKey(key, Convert.ToHexString(SHA256.HashData(meaning)));
    }

    /// <summary>The answer that this key was given before; 422 when it was given to another request.</summary>
    public async Task<IResult?> FindAnswer(UsersDb db, CancellationToken cancellationToken)
    {
        if (Key is null)
        {
            return null;
        }

        var stored = await db.StoredAnswers.AsNoTracking().SingleOrDefaultAsync(a => a.Key == Key, cancellationToken);
        return stored switch
        {
            null => null,
            _ when stored.RequestHash == RequestHash => new Answer(stored.Status, stored.Location, stored.Body),
            _ => Problems.Of(
                StatusCodes.Status422UnprocessableEntity,
                "idempotency-key-reused",
                "This Idempotency-Key was used for another request."),
        };
    }

    /// <summary>Keeps the answer with the work that it tells of; saved by the next <c>SaveChanges</c>.</summary>
    public void KeepAnswer(UsersDb db, Answer answer, DateTime now)
    {
        if (Key is not null)
        {
            db.StoredAnswers.Add(new StoredAnswer
            {
                Key = Key,
                RequestHash = RequestHash,
                Status = answer.Status,
                Location = answer.Location,
                Body = answer.Body,
                ExpiresAt = now + Kept,
            });
        }
    }

    /// <summary>Keeps another answer instead, to the same request; the one before must be of this <paramref name="db"/>.</summary>
    public void ReplaceAnswer(UsersDb db, Answer answer)
    {
        if (Key is not null)
        {
            db.StoredAnswers.Local.Single(stored => stored.Key == Key).Body = answer.Body;
        }
    }
}
