using System.Globalization;

namespace Benchmarks;

/// <summary>What is run, and how much of it.</summary>
internal sealed record Options(int Rounds, int Messages, double Part, int Rate, int Seconds, string Database, string Out, IReadOnlySet<string> Cases)
{
    public static Options Read(string[] args)
    {
        var options = new Options(5, 100_000, 1, 200, 20, "", "artifacts", new HashSet<string>(StringComparer.Ordinal));
        var cases = new HashSet<string>(StringComparer.Ordinal);
        for (var i = 0; i < args.Length; i++)
        {
            options = args[i] switch
            {
                "--rounds" => options with { Rounds = int.Parse(args[++i], CultureInfo.InvariantCulture) },
                "--messages" => options with { Messages = int.Parse(args[++i], CultureInfo.InvariantCulture) },
                "--part" => options with { Part = double.Parse(args[++i], CultureInfo.InvariantCulture) },
                "--rate" => options with { Rate = int.Parse(args[++i], CultureInfo.InvariantCulture) },
                "--seconds" => options with { Seconds = int.Parse(args[++i], CultureInfo.InvariantCulture) },
                "--database" => options with { Database = args[++i] },
                "--out" => options with { Out = args[++i] },
                _ => options,
            };
            if (char.IsLetter(args[i][0]) && !args[i - (i > 0 ? 1 : 0)].StartsWith("--", StringComparison.Ordinal))
                cases.Add(args[i]);
        }

        return options with { Cases = cases };
    }
}
