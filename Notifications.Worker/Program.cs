using Notifications;
using ServiceDefaults;

return await Service.Run(
    args,
    port: 5083,
    add: builder =>
    {
        builder.AddNotifications();
        builder.AddServiceBus(bus => bus.AddNotifications());
    },
    map: app => app.MapNotifications());
