using System.Runtime.InteropServices;

namespace CrashPoints;

/// <summary>
/// A file in which a test writes at which point to do what (<c>after-charge kill</c>). Whoever comes there takes the file
/// away, so that it happens once, and does it.
/// </summary>
internal sealed partial class Trap(string file)
{
    private const int Kill = 9;
    private static readonly int Stop = OperatingSystem.IsMacOS() ? 17 : 19;

    public void Reach(string point)
    {
        if (!File.Exists(file) || Read() is not [var armed, var action] || armed != point)
        {
            return;
        }

        try
        {
            File.Move(file, file + ".sprung", overwrite: true);
        }
        catch (FileNotFoundException)
        {
            return;   // another thread was faster
        }

        _ = Signal(Environment.ProcessId, action == "stop" ? Stop : Kill);
    }

    private string[] Read()
    {
        try
        {
            return File.ReadAllText(file).Split(' ');
        }
        catch (IOException)
        {
            return [];
        }
    }

    [LibraryImport("libc", EntryPoint = "kill")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Signal(int processId, int signal);
}
