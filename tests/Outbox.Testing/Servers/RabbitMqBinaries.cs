namespace Outbox.Testing;

/// <summary>RabbitMQ's and Erlang's programs on this machine.</summary>
/// <param name="Server">Upstream's start script: unlike Debian's wrapper it runs as whoever calls it.</param>
/// <param name="Epmd">Erlang's port mapper, which a node needs beside it.</param>
/// <param name="ErlCall">Runs an expression on a node in some 20 ms; <c>rabbitmqctl</c> takes a second.</param>
internal sealed record RabbitMqBinaries(string Server, string Epmd, string ErlCall)
{
    public static RabbitMqBinaries? Find()
    {
        var server = Binaries.InNewest("/usr/lib/rabbitmq/lib", "rabbitmq_server-*", "sbin/rabbitmq-server") ?? Binaries.InPath("rabbitmq-server");
        var epmd = Binaries.InPath("epmd");
        var erlCall = Binaries.InPath("erl_call") ?? Binaries.InNewest("/usr/lib/erlang/lib", "erl_interface-*", "bin/erl_call");
        return server is null || epmd is null || erlCall is null ? null : new RabbitMqBinaries(server, epmd, erlCall);
    }
}
