namespace Services.Tests;

/// <summary>Tests that start processes of their own run one after another: a small machine would spend its time on starting.</summary>
[CollectionDefinition(Name)]
public sealed class ProcessTests
{
    public const string Name = "Processes";
}
