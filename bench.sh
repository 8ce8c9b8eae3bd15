#!/usr/bin/env bash
# Runs every benchmark on private servers of its own, beside its reference, and prints one table. It is also written to
# artifacts/performance.md and artifacts/performance.json, with the query plans in artifacts/plans.txt.
#
#   ./bench.sh                          everything: some 40 minutes on two quiet cores, and 20 GB of disk
#   ./bench.sh relay inbox              these cases only
#   ./bench.sh --rounds 3 --part 0.1    fewer rounds; a tenth of the large tables
#
# Needs what the tests need (see test.sh): the binaries of PostgreSQL and of RabbitMQ.
set -euo pipefail
cd "$(dirname "$0")"
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1
dotnet build tests/Benchmarks -c Release -v q
exec tests/Benchmarks/bin/Release/net10.0/Benchmarks "$@"
