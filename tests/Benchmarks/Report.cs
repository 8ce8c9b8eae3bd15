using System.Globalization;

namespace Benchmarks;

/// <summary>The table that a run prints.</summary>
internal sealed class Report
{
    private readonly List<string[]> _rows = [["What", "Ours", "Reference", "Ratio", "Aim"]];

    /// <summary>A figure beside what it is compared with.</summary>
    public void Compare(string what, double ours, double reference, string unit, string aim)
        => _rows.Add([what, $"{Figure(ours)} {unit}", $"{Figure(reference)} {unit}", (ours / reference).ToString("F2", CultureInfo.InvariantCulture), aim]);

    /// <summary>A figure by itself.</summary>
    public void Add(string what, double value, string unit, string aim)
        => _rows.Add([what, $"{Figure(value)} {unit}", "", "", aim]);

    public void Print(TextWriter writer)
    {
        var widths = Enumerable.Range(0, _rows[0].Length).Select(column => _rows.Max(row => row[column].Length)).ToArray();
        for (var i = 0; i < _rows.Count; i++)
        {
            writer.WriteLine("| " + string.Join(" | ", _rows[i].Select((cell, column) => cell.PadRight(widths[column]))) + " |");
            if (i == 0)
                writer.WriteLine("|" + string.Join("|", widths.Select(width => new string('-', width + 2))) + "|");
        }
    }

    public static double Median(IEnumerable<double> values)
    {
        var sorted = values.Order().ToArray();
        return sorted.Length % 2 == 1 ? sorted[sorted.Length / 2] : (sorted[(sorted.Length / 2) - 1] + sorted[sorted.Length / 2]) / 2;
    }

    private static string Figure(double value)
        => value.ToString(value >= 100 ? "N0" : value >= 1 ? "N2" : "N4", CultureInfo.InvariantCulture);
}
