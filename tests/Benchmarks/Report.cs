using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Benchmarks;

/// <summary>What a run found: printed as one table, and written as Markdown and as JSON.</summary>
internal sealed class Report(string machine)
{
    private static readonly string[] Head = ["What", "Ours", "Reference", "Ratio", "Target", "Met", "Lost", "Twice"];
    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web) { WriteIndented = true };

    private readonly List<Row> _rows = [];
    private readonly Dictionary<string, string> _texts = new(StringComparer.Ordinal);

    /// <summary>The medians of ours and of what it is compared with. The ratio is what the target is about.</summary>
    public void Ratio(
        string what, IEnumerable<double> ours, IEnumerable<double> reference, string unit, double? atLeast = null, double? atMost = null, Books? books = null)
    {
        var (mine, theirs) = (Median(ours), Median(reference));
        Add(what, mine, theirs, unit, mine / theirs, atLeast, atMost, books);
    }

    /// <summary>A figure that has a target of its own.</summary>
    public void Value(string what, double value, string unit, double? atLeast = null, double? atMost = null, Books? books = null)
        => Add(what, value, null, unit, value, atLeast, atMost, books);

    /// <summary>A text that belongs to the run, such as a query plan; it becomes a file of its own.</summary>
    public void Text(string name, string text) => _texts[name] = text;

    public void Print(TextWriter writer) => writer.Write(Markdown());

    /// <summary>Writes <c>performance.md</c>, <c>performance.json</c> and the texts.</summary>
    public async Task WriteAsync(string folder)
    {
        Directory.CreateDirectory(folder);
        await File.WriteAllTextAsync(Path.Combine(folder, "performance.md"), Markdown());
        await File.WriteAllTextAsync(Path.Combine(folder, "performance.json"), JsonSerializer.Serialize(new { machine, rows = _rows }, Json));
        foreach (var (name, text) in _texts)
            await File.WriteAllTextAsync(Path.Combine(folder, name), text);
    }

    public static double Median(IEnumerable<double> values)
    {
        var sorted = values.Order().ToArray();
        return sorted.Length % 2 == 1 ? sorted[sorted.Length / 2] : (sorted[(sorted.Length / 2) - 1] + sorted[sorted.Length / 2]) / 2;
    }

    private void Add(string what, double ours, double? reference, string unit, double measured, double? atLeast, double? atMost, Books? books)
    {
        var target = atLeast is { } least ? $"≥ {Figure(least)}" : atMost is { } most ? $"≤ {Figure(most)}" : "";
        var met = atLeast is null && atMost is null ? (bool?)null : measured >= (atLeast ?? double.MinValue) && measured <= (atMost ?? double.MaxValue);
        var row = new Row(what, ours, reference, unit, reference is null ? null : measured, target, met, books?.Lost, books?.Twice);
        _rows.Add(row);
        Console.WriteLine("  " + string.Join(" | ", Cells(row)));
    }

    private string Markdown()
    {
        var rows = _rows.ConvertAll(Cells);
        var widths = Enumerable.Range(0, Head.Length).Select(column => rows.Append(Head).Max(row => row[column].Length)).ToArray();
        var text = new StringBuilder().AppendLine(machine).AppendLine();
        Line(Head);
        text.AppendLine("|" + string.Join("|", widths.Select(width => new string('-', width + 2))) + "|");
        rows.ForEach(Line);
        return text.ToString();

        void Line(string[] cells) => text.AppendLine("| " + string.Join(" | ", cells.Select((cell, column) => cell.PadRight(widths[column]))) + " |");
    }

    private static string[] Cells(Row row) =>
    [
        row.What, $"{Figure(row.Ours)} {row.Unit}", row.Reference is { } reference ? $"{Figure(reference)} {row.Unit}" : "", row.Ratio is { } ratio ? Figure(ratio) : "",
        row.Target, row.Met switch { true => "yes", false => "no", null => "" }, Count(row.Lost), Count(row.Twice),
    ];

    private static string Count(int? value) => value?.ToString(CultureInfo.InvariantCulture) ?? "";

    private static string Figure(double value)
        => value.ToString(value >= 100 ? "N0" : value >= 1 || value == 0 ? "0.00" : "0.####", CultureInfo.InvariantCulture);

    private sealed record Row(string What, double Ours, double? Reference, string Unit, double? Ratio, string Target, bool? Met, int? Lost, int? Twice);
}

/// <summary>What a queue held against what it was to hold.</summary>
/// <param name="Lost">Messages that are not there.</param>
/// <param name="Twice">Messages that are there once too often.</param>
/// <param name="Disordered">Messages behind a later one of their key.</param>
internal readonly record struct Books(int Lost, int Twice, int Disordered)
{
    public static Books operator +(Books a, Books b) => new(a.Lost + b.Lost, a.Twice + b.Twice, a.Disordered + b.Disordered);
}
