using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;
using ServiceDefaults;

namespace Notifications;

/// <summary>Deliveries to an endpoint that are to be made again, or for the first time: done bit by bit.</summary>
public sealed class Job
{
    public Guid Id { get; init; }

    public Guid EndpointId { get; init; }

    public Guid ReceiverId { get; init; }

    public JobScope Scope { get; init; }

    /// <summary>Of the notifications made at this time or later.</summary>
    public DateTime Since { get; init; }

    /// <summary>And made before this one.</summary>
    public DateTime Until { get; init; }

    public JobState State { get; set; }

    /// <summary>How far it is: the notification that was looked at last, by its time and then its id.</summary>
    public DateTime? LastCreatedAt { get; set; }

    /// <inheritdoc cref="LastCreatedAt"/>
    public Guid? LastId { get; set; }

    /// <summary>The number of the part that is next. Whoever does a part compares it: of two, one does it.</summary>
    public int Part { get; set; }

    /// <summary>When it last came on. What has stood still for long has lost its message, and gets another.</summary>
    public DateTime ProgressAt { get; set; }

    /// <summary>How many deliveries it has begun so far.</summary>
    public int Recovered { get; set; }

    public DateTime CreatedAt { get; init; }

    public DateTime? FinishedAt { get; set; }
}

/// <summary>Which deliveries a job is about. Stored by number.</summary>
public enum JobScope
{
    /// <summary>Those that are exhausted.</summary>
    Failed = 0,

    /// <summary>Those that there never were, because the endpoint was made, or subscribed to the event, later.</summary>
    Missing = 1,
}

/// <summary>How far a job is. Stored by number.</summary>
public enum JobState
{
    /// <summary>It is not at its end.</summary>
    Running = 0,

    /// <summary>It is.</summary>
    Done = 1,
}

internal sealed class JobTable : IEntityTypeConfiguration<Job>
{
    public void Configure(EntityTypeBuilder<Job> job)
    {
        job.ToTable("Job");
        job.Property(j => j.Id).ValueGeneratedNever();
        job.Property(j => j.Since).IsUtc();
        job.Property(j => j.Until).IsUtc();
        job.Property(j => j.LastCreatedAt).IsUtc();
        job.Property(j => j.Part).IsConcurrencyToken();
        job.Property(j => j.ProgressAt).IsUtc();
        job.Property(j => j.CreatedAt).IsUtc();
        job.Property(j => j.FinishedAt).IsUtc();
        job.HasOne<WebhookEndpoint>().WithMany().HasForeignKey(j => j.EndpointId).OnDelete(DeleteBehavior.Restrict);
        job.HasIndex(j => j.CreatedAt);   // the retention's way to what is oldest
        job.HasIndex(j => j.ProgressAt).HasFilter("\"State\" = 0");   // the sweeper's to what has stood still
    }
}
