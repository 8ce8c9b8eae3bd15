namespace ServiceDefaults;

/// <summary>A value in the request is wrong: answered 400 with the field's name.</summary>
/// <param name="field">The field as the client knows it.</param>
/// <param name="error">What is wrong with it.</param>
public sealed class InvalidInputException(string field, string error) : Exception($"{field}: {error}")
{
    internal Dictionary<string, string[]> Errors { get; } = new(StringComparer.Ordinal) { [field] = [error] };
}
