#!/usr/bin/env bash
# Installs what this machine lacks for the tests, builds once, and runs the test projects one after another.
#
#   ./test.sh                        every test project of the solution
#   ./test.sh Outbox.UnitTests ...   the projects whose name contains one of the words
#
# The closing line is "N passed, N failed, N skipped"; the exit code is 0 only if something passed and nothing failed.
set -uo pipefail
cd "$(dirname "$0")" || exit 1

results=artifacts/test-results
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1
# A test host gets 0.1 s to end by default, too little to stop the servers it started (milliseconds).
export VSTEST_TESTHOST_SHUTDOWN_TIMEOUT=15000

say() { printf '%s\n' "$*"; }
has() { command -v "$1" >/dev/null 2>&1; }

# Ends with the closing line, which is there even when nothing could be run.
finish() {
  say "$passed passed, $failed failed, $skipped skipped"
  [ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
  exit $?
}
passed=0 failed=0 skipped=0

# --- What the machine lacks ------------------------------------------------------------------------------------

has_postgres() { [ -n "${OUTBOX_POSTGRES:-}" ] || has initdb || compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null; }
has_rabbitmq() { [ -n "${OUTBOX_RABBITMQ:-}" ] || has rabbitmq-server || compgen -G '/usr/lib/rabbitmq/lib/*/sbin/rabbitmq-server' >/dev/null; }

install_missing() {
  local missing=() root=()
  has_postgres || missing+=(postgresql)
  has_rabbitmq || missing+=(rabbitmq-server)
  has curl || missing+=(curl)
  [ ${#missing[@]} -eq 0 ] && return

  say "Missing for the tests: ${missing[*]}"
  if ! has apt-get; then
    say "Install them with this system's package manager (the tests start servers of their own), or point"
    say "OUTBOX_POSTGRES and OUTBOX_RABBITMQ at servers that run. Until then the tests that need them are skipped."
    return
  fi

  if [ "$(id -u)" -ne 0 ]; then
    has sudo || { say "Run as root: apt-get install ${missing[*]}. Until then the tests that need them are skipped."; return; }
    root=(sudo)
  fi

  export DEBIAN_FRONTEND=noninteractive
  "${root[@]}" env DEBIAN_FRONTEND=noninteractive sh -c \
    'apt-get update -q && apt-get install -y -q --no-install-recommends "$@"' sh "${missing[@]}" </dev/null ||
    say "apt-get could not install ${missing[*]}; the tests that need them are skipped, or fail with CI=true."
}

# --- Which projects ----------------------------------------------------------------------------------------------

# Test projects are those of the solution that use the test SDK; Outbox.Testing and Benchmarks do not.
test_projects() {
  local project word
  dotnet sln list | tr '\\\r' '/ ' | sed 's/ *$//' | grep '\.csproj$' | sort | while read -r project; do
    grep -q 'Include="Microsoft.NET.Test.Sdk"' "$project" || continue
    [ $# -eq 0 ] && say "$project"
    for word in "$@"; do
      case "$(basename "$project" .csproj)" in *"$word"*) say "$project"; break ;; esac
    done
  done
}

# --- Running and counting ----------------------------------------------------------------------------------------

# A number of the result file's summary line, as in <Counters total="3" executed="3" passed="3" failed="0" ... />.
counter() {
  local number
  number=$(sed -nE "s/.*<Counters (.* )?$2=\"([0-9]*)\".*/\2/p" "$1" | head -n 1)
  say "${number:-0}"
}

run() {
  local project=$1 name file code total executed ok bad
  name=$(basename "$project" .csproj)
  file=$results/$name.trx
  say "=== $name"
  # A test that hangs fails by its name, instead of using up the time of all others.
  dotnet test "$project" --no-build --nologo -m:1 --blame-hang --blame-hang-timeout 15m --blame-hang-dump-type none \
    --logger "trx;LogFileName=$name.trx" --results-directory "$results" </dev/null
  code=$?

  total=0 executed=0 ok=0 bad=0
  if [ -f "$file" ]; then
    total=$(counter "$file" total) executed=$(counter "$file" executed)
    ok=$(counter "$file" passed) bad=$(counter "$file" failed)
    grep '<UnitTestResult ' "$file" | grep 'outcome="Failed"' | sed 's/.* testName="\([^"]*\)".*/FAILED \1/; s/&quot;/"/g; s/&lt;/</g; s/&gt;/>/g; s/&amp;/\&/g'
  fi

  # A test host that crashed has failed, though no test of it says so.
  if [ $code -ne 0 ] && [ "$bad" -eq 0 ]; then
    say "FAILED $name: ended with code $code before its tests had"
    bad=1
  fi
  passed=$((passed + ok)) failed=$((failed + bad)) skipped=$((skipped + total - executed))
}

has dotnet || { say "The .NET SDK is missing: https://dotnet.microsoft.com/download (version: see global.json)"; finish; }
install_missing
rm -rf "$results"

projects=()
while read -r project; do projects+=("$project"); done < <(test_projects "$@")
if [ ${#projects[@]} -eq 0 ]; then
  say "No test project is called like: $*"
  finish
fi

if [ $# -eq 0 ]; then
  dotnet build Outbox.sln --nologo -v q </dev/null || { say "FAILED the build"; failed=1; finish; }
else
  for project in "${projects[@]}"; do
    dotnet build "$project" --nologo -v q </dev/null || { say "FAILED the build of $project"; failed=1; finish; }
  done
fi

for project in "${projects[@]}"; do
  run "$project"
done
finish
