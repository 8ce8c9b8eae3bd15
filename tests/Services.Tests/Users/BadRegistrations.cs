namespace Services.Tests;

/// <summary>What a client can get wrong in <c>POST /users</c>.</summary>
public static class BadRegistrations
{
    private const string Ok = "a@b.c";

    /// <summary>Body and the fields that the answer must name.</summary>
    public static TheoryData<string, string[]> Fields => new()
    {
        { "{}", ["userName", "email"] },
        { $$"""{"email":"{{Ok}}"}""", ["userName"] },
        { """{"userName":"ada"}""", ["email"] },
        { """{"userName":null,"email":null}""", ["userName", "email"] },
        { """{"userName":"","email":""}""", ["userName", "email"] },
        { $$"""{"userName":"   ","email":"{{Ok}}"}""", ["userName"] },
        { $$"""{"userName":"ab","email":"{{Ok}}"}""", ["userName"] },
        { $$"""{"userName":"{{new string('a', 33)}}","email":"{{Ok}}"}""", ["userName"] },
        { $$"""{"userName":"a\u0000b","email":"{{Ok}}"}""", ["userName"] },
        { $$"""{"userName":"a\nbc","email":"{{Ok}}"}""", ["userName"] },
        { """{"userName":"ada","email":"nobody"}""", ["email"] },
        { """{"userName":"ada","email":"@b.c"}""", ["email"] },
        { """{"userName":"ada","email":"a@"}""", ["email"] },
        { """{"userName":"ada","email":"a@b@c"}""", ["email"] },
        { """{"userName":"ada","email":"a @b.c"}""", ["email"] },
        { """{"userName":"ada","email":"a\u0000@b.c"}""", ["email"] },
        { $$"""{"userName":"ada","email":"a@{{new string('b', 253)}}"}""", ["email"] },
        { $$"""{"userName":5,"email":"{{Ok}}"}""", ["userName"] },
        { $$"""{"userName":"ada","email":["{{Ok}}"]}""", ["email"] },
        { $$"""{"userName":"\ud800abc","email":"{{Ok}}"}""", ["userName"] },
    };

    /// <summary>Bodies that are no JSON object at all.</summary>
    public static TheoryData<string> Malformed => new()
    {
        "", " ", "null", "{", """{"userName":"ada","email":"a@b.c"} {""", """{"userName":"ada",}""", "userName=ada", "[]", "5",
        """{"userName":"x""", "{\"userName\":\"\u0001\"}", new string('[', 200),
    };

    /// <summary>Media types that are not JSON in an encoding we know.</summary>
    public static TheoryData<string?> MediaTypes => new()
    {
        null, "text/plain", "application/xml", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x",
        "application/json; charset=klingon",
    };
}
