using FluentValidation;
using ServiceDefaults;

namespace Simulators;

/// <summary>The world outside: a payment provider and a merchant, with faults on request.</summary>
public static class SimulatorsModule
{
    /// <summary>The setting that names the folder of what they remember; <c>data</c> when absent.</summary>
    public const string Folder = "Simulators:Data";

    public static void AddSimulators(this WebApplicationBuilder builder)
    {
        var folder = builder.Configuration[Folder] is { } named && !string.IsNullOrWhiteSpace(named) ? named : "data";
        builder.AddPayments(folder);
        builder.AddMerchant(folder);
    }

    public static void MapSimulators(this IEndpointRouteBuilder routes)
    {
        routes.MapPayments();
        routes.MapMerchant();
    }

    private static void AddPayments(this WebApplicationBuilder builder, string folder)
    {
        builder.Services.AddSingleton(_ => new ChargeBook(Path.Combine(folder, "payments.journal")));
        builder.Services.AddSingleton<Behaviour<PaymentMode>>();
        builder.Services.AddSingleton<IValidator<ChargeRequest>, ChargeRequestValidator>();
        builder.Services.AddSingleton<IValidator<BehaviourRequest<PaymentMode>>, BehaviourRequestValidator<PaymentMode>>();
        builder.Services.AddSingleton<IStartStep, OpenAtStart<ChargeBook>>();
    }

    private static void AddMerchant(this WebApplicationBuilder builder, string folder)
    {
        builder.Services.AddSingleton(services => new MerchantBook(
            Path.Combine(folder, "merchant.journal"), services.GetRequiredService<IConfiguration>()[MerchantBook.SecretSetting]));
        builder.Services.AddSingleton<Behaviour<MerchantMode>>();
        builder.Services.AddSingleton<IValidator<SecretRequest>, SecretRequestValidator>();
        builder.Services.AddSingleton<IValidator<BehaviourRequest<MerchantMode>>, BehaviourRequestValidator<MerchantMode>>();
        builder.Services.AddSingleton<IStartStep, OpenAtStart<MerchantBook>>();
    }

    /// <summary>Reads a book before the first request, so that one that cannot be read stops the start.</summary>
    private sealed class OpenAtStart<TBook>(IServiceProvider services) : IStartStep
        where TBook : class
    {
        public Task Run(CancellationToken cancellationToken)
        {
            services.GetRequiredService<TBook>();
            return Task.CompletedTask;
        }
    }
}
