using ServiceDefaults;
using Simulators;

return await Service.Run(
    args,
    port: 5084,
    add: builder => builder.AddSimulators(),
    map: app => app.MapSimulators());
