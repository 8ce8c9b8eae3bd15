namespace Contracts;

/// <summary>Somebody registered. Published by Users.Api in the transaction that stores the user.</summary>
/// <param name="UserId">The new user; also the ordering key.</param>
/// <param name="UserName">The name as it was entered.</param>
/// <param name="Email">The address as it was entered.</param>
/// <param name="RegisteredAt">UTC.</param>
public sealed record UserRegistered(Guid UserId, string UserName, string Email, DateTime RegisteredAt);
