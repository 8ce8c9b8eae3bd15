namespace Services.Tests;

internal static class Keys
{
    /// <summary>The API key of the receiver <c>default</c>.</summary>
    public const string Receiver = "rk_test_0123456789abcdefghijklmnopqrstuvwxyz";

    /// <summary>The operator's key.</summary>
    public const string Operator = "ok_test_0123456789abcdefghijklmnopqrstuvwxyz";

    /// <summary>What the notifier seals secrets with.</summary>
    public const string Encryption = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
}
