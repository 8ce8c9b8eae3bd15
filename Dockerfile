# One file for all services; the target says which: users-api, points-worker, notifications-worker, simulators.
#
#   docker build --target users-api --tag outbox/users-api .
#
# Built once, since the services share most of their assemblies; each image takes its own.
FROM mcr.microsoft.com/dotnet/sdk:10.0 AS build
WORKDIR /source
COPY . .
RUN --mount=type=cache,target=/root/.nuget/packages \
    for service in Users.Api Points.Worker Notifications.Worker Simulators; do \
        dotnet publish "$service" --configuration Release --output "/published/$service" \
            --use-current-runtime --self-contained false --nologo --verbosity quiet -m:1 \
            -p:UseAppHost=false -p:DebugType=none -p:GenerateDocumentationFile=false -p:RunAnalyzers=false \
            || exit 1; \
    done

# What every service is in: not root, nothing to write to but /data, a stop that is asked for by SIGTERM.
FROM mcr.microsoft.com/dotnet/aspnet:10.0 AS service
RUN mkdir /data && chown app:app /data
WORKDIR /app
ENV ASPNETCORE_HTTP_PORTS=8080 \
    DOTNET_EnableDiagnostics=0
EXPOSE 8080
USER app
# The image has no curl; bash speaks HTTP well enough to ask whether the service is ready.
HEALTHCHECK --interval=5s --timeout=5s --start-period=60s --retries=6 \
    CMD ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/8080 && printf 'GET /health/ready HTTP/1.0\\r\\nHost: localhost\\r\\n\\r\\n' >&3 && read -r _ status _ <&3 && [ \"$status\" = 200 ]"]

FROM service AS users-api
COPY --from=build /published/Users.Api .
ENTRYPOINT ["dotnet", "Users.Api.dll"]

FROM service AS points-worker
COPY --from=build /published/Points.Worker .
ENTRYPOINT ["dotnet", "Points.Worker.dll"]

FROM service AS notifications-worker
COPY --from=build /published/Notifications.Worker .
ENTRYPOINT ["dotnet", "Notifications.Worker.dll"]

FROM service AS simulators
COPY --from=build /published/Simulators .
ENTRYPOINT ["dotnet", "Simulators.dll"]
