using Microsoft.Extensions.Configuration;
using Notifications;
using Notifications.Delivering;
using Notifications.Sending;
using ServiceDefaults;

namespace Services.Tests;

/// <summary>What follows from an answer, and when.</summary>
public sealed class VerdictTests
{
    private static readonly DateTime Now = new(2026, 1, 2, 3, 4, 5, DateTimeKind.Utc);

    [Theory]
    [InlineData(200, AttemptOutcome.Delivered, DeliveryState.Delivered, false, false)]
    [InlineData(204, AttemptOutcome.Delivered, DeliveryState.Delivered, false, false)]
    [InlineData(302, AttemptOutcome.Refused, DeliveryState.Pending, false, false)]
    [InlineData(304, AttemptOutcome.Refused, DeliveryState.Pending, false, false)]
    [InlineData(400, AttemptOutcome.Refused, DeliveryState.Pending, false, false)]
    [InlineData(410, AttemptOutcome.Gone, DeliveryState.Held, false, false)]
    [InlineData(429, AttemptOutcome.Refused, DeliveryState.Pending, true, false)]
    [InlineData(500, AttemptOutcome.Refused, DeliveryState.Pending, false, true)]
    [InlineData(502, AttemptOutcome.Refused, DeliveryState.Pending, true, true)]
    [InlineData(503, AttemptOutcome.Refused, DeliveryState.Pending, true, true)]
    [InlineData(504, AttemptOutcome.Refused, DeliveryState.Pending, true, true)]
    public void A_status_means(int status, AttemptOutcome outcome, DeliveryState state, bool throttles, bool isDown)
    {
        var verdict = Of(new WebhookAnswer(null, status));

        (verdict.Outcome, verdict.State, verdict.ThrottledUntil > Now, verdict.IsDown).ShouldBe((outcome, state, throttles, isDown));
        (verdict.NextAttemptAt is not null).ShouldBe(state == DeliveryState.Pending);
        (verdict.Error is null).ShouldBe(outcome == AttemptOutcome.Delivered);
    }

    [Theory]
    [InlineData(AttemptOutcome.TimedOut, true)]
    [InlineData(AttemptOutcome.Unreachable, true)]
    [InlineData(AttemptOutcome.Forbidden, false)]
    public void No_whole_answer_is_a_failure(AttemptOutcome failure, bool isDown)
    {
        var verdict = Of(new WebhookAnswer(failure, 200, Error: "why"));

        (verdict.Outcome, verdict.State, verdict.Error, verdict.IsDown).ShouldBe((failure, DeliveryState.Pending, "why", isDown));
    }

    [Theory]
    [InlineData("success", true)]
    [InlineData(" success\n", true)]
    [InlineData("SUCCESS", false)]
    [InlineData("success!", false)]
    [InlineData("", false)]
    public void Where_a_body_is_asked_for_nothing_else_is_success(string body, bool isSuccess)
    {
        var endpoint = Endpoint("alipay");
        endpoint.SuccessBody = "success";

        var verdict = Verdict.Of(new WebhookAnswer(null, 200, System.Text.Encoding.UTF8.GetBytes(body)), endpoint, 0, Now, 0);

        (verdict.State == DeliveryState.Delivered).ShouldBe(isSuccess);
    }

    [Fact]
    public void The_last_attempt_of_a_schedule_exhausts_it()
    {
        Of(new WebhookAnswer(null, 500), step: 8).State.ShouldBe(DeliveryState.Pending);
        Of(new WebhookAnswer(null, 500), step: 9).State.ShouldBe(DeliveryState.Exhausted);
        Of(new WebhookAnswer(null, 500), step: 900).State.ShouldBe(DeliveryState.Exhausted);
    }

    [Theory]
    [InlineData("standard", "5 300 1800 7200 18000 36000 50400 72000 86400")]
    [InlineData("alipay", "240 600 600 3600 7200 21600 54000")]
    [InlineData("wechat", "15 15 30 180 600 1200 1800 1800 1800 3600 10800 10800 10800 21600 21600")]
    [InlineData("svix", "5 300 1800 7200 18000 36000 36000")]
    [InlineData("unknown", "5 300 1800 7200 18000 36000 50400 72000 86400")]
    public void Schedules_are_those_of_their_senders(string name, string seconds)
    {
        var waits = Enumerable.Range(0, 100).Select(step => RetrySchedule.After(name, step, null, 0)).TakeWhile(w => w is not null);

        string.Join(' ', waits.Select(w => w!.Value.TotalSeconds)).ShouldBe(seconds);
    }

    [Theory]
    [InlineData("standard", 0, 60)]         // nothing before it, 5 s to the next
    [InlineData("standard", 1, 305)]
    [InlineData("standard", 8, 158_400)]
    [InlineData("standard", 9, 172_800)]    // the last
    [InlineData("demo", 7, 60)]
    public void An_attempt_that_cannot_be_made_counts_as_failed_when_the_next_would_be_due(string name, int step, int seconds) =>
        RetrySchedule.Patience(name, step).ShouldBe(TimeSpan.FromSeconds(seconds));

    [Fact]
    public void Jitter_only_delays_by_a_fifth_at_most()
    {
        RetrySchedule.After("standard", 1, null, 0).ShouldBe(TimeSpan.FromSeconds(300));
        RetrySchedule.After("standard", 1, null, 0.5).ShouldBe(TimeSpan.FromSeconds(330));
        RetrySchedule.After("standard", 1, null, 1).ShouldBe(TimeSpan.FromSeconds(360));
    }

    [Theory]
    [InlineData(10, 300)]           // earlier than the schedule: the schedule
    [InlineData(400, 400)]
    [InlineData(7500, 7500)]        // the step of 300 s and two hours
    [InlineData(86_400, 7500)]
    public void What_a_receiver_asks_for_is_honoured_up_to_two_hours_more(int asked, int expected) =>
        RetrySchedule.After("standard", 1, TimeSpan.FromSeconds(asked), 0).ShouldBe(TimeSpan.FromSeconds(expected));

    [Fact]
    public void A_pause_that_a_receiver_asks_for_holds_for_its_endpoint_and_not_for_ever()
    {
        Of(new WebhookAnswer(null, 429, RetryAfter: TimeSpan.FromSeconds(90))).ThrottledUntil.ShouldBe(Now.AddSeconds(90));
        Of(new WebhookAnswer(null, 503, RetryAfter: TimeSpan.FromDays(90))).ThrottledUntil.ShouldBe(Now.AddHours(2));
        Of(new WebhookAnswer(null, 500, RetryAfter: TimeSpan.FromSeconds(90))).ThrottledUntil.ShouldBeNull();
    }

    [Theory]
    [InlineData("Timeout", "soon")]
    [InlineData("Timeout", "00:00:00")]
    [InlineData("Lease", "00:00:10")]       // shorter than an exchange may take
    [InlineData("Lease", "00:00:16.9")]     // no time to write the outcome down
    [InlineData("InFlight", "0")]
    [InlineData("InFlightPerEndpoint", "many")]
    public void Settings_that_cannot_work_stop_the_start(string name, string value)
    {
        var configuration = new ConfigurationBuilder().AddInMemoryCollection([new($"Delivery:{name}", value)]).Build();

        Should.Throw<StartException>(() => DeliverySettings.Read(configuration)).Message.ShouldContain($"Delivery__{name}");
    }

    /// <summary>A status line that is none, for one, is quoted in the error; PostgreSQL takes no NUL, and no driver half a character.</summary>
    [Fact]
    public void Whatever_an_endpoint_says_can_be_written_down()
    {
        var said = "\0" + string.Concat(Enumerable.Repeat("\U0001F600", 600));
        var answer = new WebhookAnswer(AttemptOutcome.Unreachable, Body: System.Text.Encoding.UTF8.GetBytes(said), Error: said);
        var work = new DeliveryWork(Guid.Empty, 1, 0, null, Now, Guid.Empty, null, null, Endpoint("standard"));

        var row = new Exchange(Now, TimeSpan.Zero, answer, Of(answer)).Row(work);

        foreach (var text in new[] { row.Error!, row.Answer! })
        {
            text.ShouldStartWith("\uFFFD\U0001F600");
            text.Length.ShouldBeLessThanOrEqualTo(DeliveryAttempt.MaxText);
            text.Where((c, i) => char.IsHighSurrogate(c) && (i + 1 == text.Length || !char.IsLowSurrogate(text[i + 1]))).ShouldBeEmpty();
        }
    }

    private static Verdict Of(WebhookAnswer answer, int step = 0) => Verdict.Of(answer, Endpoint("standard"), step, Now, 0);

    private static WebhookEndpoint Endpoint(string schedule) => new() { Url = "", EventTypes = "", Secret = [], Schedule = schedule };
}
