using System.Globalization;
using System.Text;
using MassTransit;

namespace Outbox.Testing;

/// <summary>
/// A RabbitMQ node with a data folder, ports and a port mapper of its own, administrated by Erlang expressions.
/// </summary>
internal sealed class PrivateRabbitMq : IBrokerAdmin, IAsyncDisposable
{
    private readonly RabbitMqBinaries _binaries;
    private readonly string _folder;
    private readonly int _port = FreePort.Next();
    private readonly int _epmdPort = FreePort.Next();
    private readonly string _cookie = NewId.NextGuid().ToString("N");
    private readonly Dictionary<string, string?> _environment;
    private ChildProcess? _epmd;
    private ChildProcess? _node;

    private PrivateRabbitMq(RabbitMqBinaries binaries, string folder)
    {
        _binaries = binaries;
        _folder = folder;
        _environment = new Dictionary<string, string?>(StringComparer.Ordinal)
        {
            ["HOME"] = folder,
            ["ERL_EPMD_PORT"] = _epmdPort.ToString(CultureInfo.InvariantCulture),
            ["ERL_EPMD_ADDRESS"] = "127.0.0.1",
            ["RABBITMQ_NODENAME"] = NodeName,
            ["RABBITMQ_NODE_PORT"] = _port.ToString(CultureInfo.InvariantCulture),
            ["RABBITMQ_NODE_IP_ADDRESS"] = "127.0.0.1",
            ["RABBITMQ_DIST_PORT"] = FreePort.Next().ToString(CultureInfo.InvariantCulture),
            ["RABBITMQ_MNESIA_BASE"] = Path.Combine(folder, "mnesia"),
            ["RABBITMQ_LOG_BASE"] = Path.Combine(folder, "log"),
            ["RABBITMQ_CONFIG_FILE"] = Path.Combine(folder, "rabbitmq.conf"),
            ["RABBITMQ_CONF_ENV_FILE"] = "/dev/null",
            ["RABBITMQ_ENABLED_PLUGINS_FILE"] = Path.Combine(folder, "enabled_plugins"),
            // Makes the start script replace itself by the node, so that the process started takes the signals.
            ["RUNNING_UNDER_SYSTEMD"] = "true",
            ["NOTIFY_SOCKET"] = null,
        };
    }

    public Uri Address => new($"amqp://guest:guest@127.0.0.1:{_port}/");

    public bool IsRunning => _node is { HasExited: false };

    private static string NodeName => "outbox-test@localhost";

    public static PrivateRabbitMq Create(RabbitMqOptions options)
    {
        var binaries = RabbitMqBinaries.Find() ?? throw new InvalidOperationException(RabbitMqServer.MissingBinaries);
        var folder = Leftovers.NewFolder("rabbitmq");
        var node = new PrivateRabbitMq(binaries, folder);

        var settings = new Dictionary<string, string>(options.Settings, StringComparer.Ordinal)
        {
            ["log.console"] = "true",
            ["log.file"] = "false",
        };
        if (options.MaxMessageSize is { } bytes)
            settings["max_message_size"] = bytes.ToString(CultureInfo.InvariantCulture);
        File.WriteAllLines(Path.Combine(folder, "rabbitmq.conf"), settings.Select(setting => $"{setting.Key} = {setting.Value}"));
        File.WriteAllText(Path.Combine(folder, "enabled_plugins"), "[].");

        var cookie = Path.Combine(folder, ".erlang.cookie");
        File.WriteAllText(cookie, node._cookie);
        // Erlang refuses a cookie that others may read.
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(cookie, UnixFileMode.UserRead);
        return node;
    }

    public async Task StartAsync()
    {
        if (IsRunning)
            return;

        // Started by us, the port mapper is ours to stop; started by the node it would stay behind for ever.
        if (_epmd is not { HasExited: false })
            _epmd = ChildProcess.Start(
                _binaries.Epmd, ["-port", _environment["ERL_EPMD_PORT"]!, "-address", "127.0.0.1"], workingDirectory: _folder);

        var node = _node = ChildProcess.Start(_binaries.Server, [], _environment, workingDirectory: _folder);
        // Booted, not merely running: while it still boots, its queues are not there yet.
        await Eventually.Is(
            async () => node.HasExited || await CallAsync("rabbit:is_booted().") == "{ok, true}",
            Eventually.Limit * 3);
        if (node.HasExited)
            throw new InvalidOperationException($"RabbitMQ ended at its start with {node.ExitCode}.{node.Tail()}");
    }

    public async Task StopAsync(UnixSignal signal)
    {
        if (_node is { } node)
            await node.StopAsync(signal);
    }

    public void Send(UnixSignal signal) => _node?.Send(signal);

    public Task CreateVirtualHostAsync(string name) => EvaluateAsync(
        $"""
        ok = rabbit_vhost:add(<<"{name}">>, <<"guest">>),
        ok = rabbit_auth_backend_internal:set_permissions(<<"guest">>, <<"{name}">>, <<".*">>, <<".*">>, <<".*">>, <<"guest">>).
        """);

    public Task DeleteVirtualHostAsync(string name) => EvaluateAsync($"""ok = rabbit_vhost:delete(<<"{name}">>, <<"guest">>).""");

    public async Task<IReadOnlyList<QueueCount>> QueuesAsync(string virtualHost)
    {
        // One line a queue, a tab between the fields; Base64, since the answer is printed as an Erlang term: "..." or [].
        var answer = await EvaluateAsync(
            $$$"""
            Lines = [io_lib:format("~ts\t~b\t~b\t~b\n", [Name, Ready, Unacknowledged, Consumers])
              || [{name, {resource, _, queue, Name}}, {_, Ready}, {_, Unacknowledged}, {_, Consumers}]
              <- rabbit_amqqueue:info_all(<<"{{{virtualHost}}}">>, [name, messages_ready, messages_unacknowledged, consumers])],
            binary_to_list(base64:encode(unicode:characters_to_binary(Lines))).
            """);
        return [.. Encoding.UTF8.GetString(Convert.FromBase64String(answer.Trim('"', '[', ']')))
            .Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Select(Parse)];
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync(UnixSignal.Kill);
        if (_epmd is { } epmd)
            await epmd.StopAsync(UnixSignal.Kill);
        Directory.Delete(_folder, recursive: true);
    }

    private static QueueCount Parse(string line)
    {
        var fields = line.Split('\t');
        return new QueueCount(
            fields[0],
            long.Parse(fields[1], CultureInfo.InvariantCulture),
            long.Parse(fields[2], CultureInfo.InvariantCulture),
            int.Parse(fields[3], CultureInfo.InvariantCulture));
    }

    /// <summary>The value of the expression, as Erlang prints it.</summary>
    private async Task<string> EvaluateAsync(string expression)
    {
        const string success = "{ok, ";
        var answer = await AskAsync(expression);
        return answer.StartsWith(success, StringComparison.Ordinal)
            ? answer[success.Length..^1]
            : throw new InvalidOperationException($"RabbitMQ was asked\n{expression}\nand answered\n{answer}");
    }

    /// <summary>Asks until the node answers: a busy one refuses a connection now and then.</summary>
    private async Task<string> AskAsync(string expression)
    {
        const int attempts = 20;
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                return await CallAsync(expression);
            }
            catch (InvalidOperationException) when (attempt < attempts && IsRunning)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(250), TimeProvider.System);
            }
        }
    }

    private Task<string> CallAsync(string expression)
        => ChildProcess.RunAsync(_binaries.ErlCall, ["-sname", NodeName, "-c", _cookie, "-e"], _environment, expression + "\n");
}
