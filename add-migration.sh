#!/bin/sh
# Adds a migration to every service whose model has changed, for each database: ./add-migration.sh AddNickname
set -eu
cd "$(dirname "$0")"
name=${1:?usage: ./add-migration.sh <Name>}
dotnet tool restore > /dev/null
for service in Users:Users.Api Points:Points.Worker Notifications:Notifications.Worker; do
  module=${service%%:*} project=${service#*:}
  dotnet build "$project" -v q --nologo
  for database in Sqlite Postgres SqlServer; do
    context=$module$database
    if dotnet ef migrations has-pending-model-changes --no-build --project "$project" --context "$context" > /dev/null 2>&1; then
      echo "$context: nothing has changed"
    else
      dotnet ef migrations add "$name" --no-build --project "$project" --context "$context" \
        --output-dir "Migrations/$database"
    fi
  done
done
