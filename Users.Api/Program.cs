using ServiceDefaults;
using Users;

return await Service.Run(
    args,
    port: 5081,
    add: builder =>
    {
        builder.AddUsers();
        builder.AddServiceBus(bus => bus.AddUsers());
    },
    map: app => app.MapUsers());
