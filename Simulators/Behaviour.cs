using System.Text.Json;
using System.Text.Json.Serialization;
using FluentValidation;

namespace Simulators;

/// <summary>How the next requests are answered: in a chosen mode so many times, and then normally again.</summary>
/// <typeparam name="TMode">The modes; the first is the normal one.</typeparam>
internal sealed class Behaviour<TMode>
    where TMode : struct, Enum
{
    private readonly Lock turn = new();
    private TMode chosen;
    private int? left;

    /// <summary>Chooses a mode, for so many requests or, with no number, until another is chosen.</summary>
    public void Set(TMode mode, int? times)
    {
        lock (turn)
        {
            (chosen, left) = (mode, times);
        }
    }

    /// <summary>The mode of this request, which takes one of the times.</summary>
    /// <param name="when">Which modes it may take; in any other it is answered normally and takes none.</param>
    public TMode Take(Func<TMode, bool>? when = null)
    {
        lock (turn)
        {
            var mode = chosen;
            if (when?.Invoke(mode) == false)
            {
                return default;
            }

            if (left == 1)
            {
                (chosen, left) = (default, null);
            }
            else
            {
                left--;
            }

            return mode;
        }
    }

    /// <summary>As it stands.</summary>
    public BehaviourRequest<TMode> Show()
    {
        lock (turn)
        {
            return new BehaviourRequest<TMode>(chosen, left);
        }
    }
}

/// <summary>The body of <c>PUT …/behaviour</c>.</summary>
/// <param name="Mode">In kebab case.</param>
/// <param name="Times">For how many requests; absent: until another mode is set.</param>
public sealed record BehaviourRequest<TMode>(TMode? Mode, int? Times)
    where TMode : struct, Enum;

internal sealed class BehaviourRequestValidator<TMode> : AbstractValidator<BehaviourRequest<TMode>>
    where TMode : struct, Enum
{
    public BehaviourRequestValidator()
    {
        RuleFor(r => r.Mode).NotNull().WithName("mode");
        RuleFor(r => r.Times).GreaterThanOrEqualTo(1).WithName("times");
    }
}

/// <summary>Modes are written as <c>charge-then-hang</c>.</summary>
internal sealed class KebabCase<TMode>() : JsonStringEnumConverter<TMode>(JsonNamingPolicy.KebabCaseLower, allowIntegerValues: false)
    where TMode : struct, Enum;
