#!/usr/bin/env bash
# The end-to-end tests against containers: builds the images, starts everything, runs the suite, takes it down again.
#
#   ./e2e.sh              on SQL Server, as compose.yaml says
#   ./e2e.sh postgres     on PostgreSQL
#
# Needs Docker with Compose 2.24 or later and the .NET SDK. Leaves no container, volume or network behind; what the
# containers printed lies in artifacts/e2e/ afterwards when something failed.
set -uo pipefail
cd "$(dirname "$0")" || exit 1

case "${1:-sqlserver}" in
  sqlserver) export COMPOSE_FILE=compose.yaml ;;
  postgres) export COMPOSE_FILE=compose.yaml:compose.postgres.yaml ;;
  *) echo "Unknown database '$1': expected sqlserver or postgres." >&2; exit 1 ;;
esac
export COMPOSE_PATH_SEPARATOR=:
# A project of its own, so that a compose.yaml that somebody runs by hand is neither touched nor taken down.
export COMPOSE_PROJECT_NAME=outbox-e2e
export RABBITMQ_PAGE_PORT=
export SUBNET=10.211.94.0/24
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1
logs=artifacts/e2e

say() { printf '%s\n' "$*"; }

docker compose version >/dev/null 2>&1 || { say "No Docker with Compose answers: see https://docs.docker.com/compose/install/"; exit 1; }

take_down() {
  code=$?
  trap - EXIT
  if [ $code -ne 0 ]; then
    mkdir -p "$logs"
    docker compose ps --all >"$logs/containers.txt" 2>&1
    docker compose logs --no-color --timestamps >"$logs/containers.log" 2>&1
    for service in users-api points-worker notifications-worker; do
      say "--- $service, its last warnings"
      docker compose logs --no-color --no-log-prefix "$service" 2>&1 | grep -A 1 -E '^(warn|fail|crit): ' | tail -n 12 | cut -c 1-300
    done
    say "FAILED; what the containers printed: $logs/containers.log"
  fi
  said=$(docker compose down --volumes --remove-orphans --timeout 20 2>&1)
  left=$(left_behind)
  if [ -n "$left" ]; then
    say "$said" "LEFT BEHIND:" "$left"
    [ $code -eq 0 ] && code=1
  fi
  exit $code
}

left_behind() {
  local mine="label=com.docker.compose.project=$COMPOSE_PROJECT_NAME"
  docker ps --all --filter "$mine" --format 'container {{.Names}}'
  docker volume ls --filter "$mine" --format 'volume {{.Name}}'
  docker network ls --filter "$mine" --format 'network {{.Name}}'
}
trap take_down EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

rm -rf "$logs"
# Left by a run that was itself killed.
docker compose down --volumes --remove-orphans --timeout 5 >/dev/null 2>&1

say "=== Building"
docker compose build --quiet || exit 1
dotnet build tests/EndToEnd.Tests --nologo -v q -m:1 </dev/null || exit 1

say "=== Starting"
docker compose up --detach --wait --wait-timeout 240 --quiet-pull || exit 1

# As Compose sees it: the environment goes before .env.
setting() { echo "${!1:-$(sed -n "s/^$1=//p" .env)}"; }
address() { echo "http://$(docker compose port "$1" 8080)"; }
OUTBOX_E2E_USERS=$(address users-api)
OUTBOX_E2E_POINTS=$(address points-worker)
OUTBOX_E2E_NOTIFICATIONS=$(address notifications-worker)
OUTBOX_E2E_SIMULATORS=$(address simulators)
OUTBOX_E2E_RECEIVER_KEY=$(setting RECEIVER_API_KEY)
OUTBOX_E2E_OPERATOR_KEY=$(setting OPERATOR_KEY)
export OUTBOX_E2E_USERS OUTBOX_E2E_POINTS OUTBOX_E2E_NOTIFICATIONS OUTBOX_E2E_SIMULATORS
export OUTBOX_E2E_RECEIVER_KEY OUTBOX_E2E_OPERATOR_KEY
# With it the tests also kill, cut off and scale containers.
export OUTBOX_E2E_COMPOSE="docker compose"

say "=== Testing"
dotnet test tests/EndToEnd.Tests --no-build --nologo -m:1 \
  --logger "console;verbosity=normal" --blame-hang --blame-hang-timeout 10m --blame-hang-dump-type none \
  --filter "FullyQualifiedName~EndToEnd.Tests.Deployed" </dev/null
