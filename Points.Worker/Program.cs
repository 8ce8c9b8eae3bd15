using Points;
using ServiceDefaults;

return await Service.Run(
    args,
    port: 5082,
    add: builder =>
    {
        builder.AddPoints();
        builder.AddServiceBus(bus => bus.AddPoints());
    },
    map: app => app.MapPoints());
