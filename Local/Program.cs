using Local;
using Notifications;
using Points;
using ServiceDefaults;
using Simulators;
using Users;

return await Service.Run(
    args,
    port: LocalSettings.DefaultPort,
    add: builder =>
    {
        builder.AddLocalSettings();
        builder.AddUsers();
        builder.AddPoints();
        builder.AddNotifications();
        builder.AddSimulators();
        builder.AddServiceBus(bus => bus.AddUsers(), bus => bus.AddPoints(), bus => bus.AddNotifications());
    },
    map: app =>
    {
        app.MapUsers();
        app.MapPoints();
        app.MapNotifications();
        app.MapGroup("/simulators").MapSimulators();
        app.PrintTour();
    });
