using Outbox.Relaying;

namespace Outbox.UnitTests.Relaying;

public sealed class PartitionPositionTests
{
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);
    private readonly PartitionPosition _position = new(5 * Second);

    [Fact]
    public void A_read_starts_where_the_position_stood_a_look_back_ago()
    {
        Read(0, highest: 100);
        Read(1, highest: 200);
        Read(4, highest: 300);

        Start().ShouldBe(0);
        Read(5, highest: 300);
        Start().ShouldBe(100);
        Read(6, highest: 300);
        Start().ShouldBe(200);
        Read(8, highest: 300);
        Start().ShouldBe(200);
        Read(9, highest: 300);
        Start().ShouldBe(300);
    }

    // Rows that were not committed at the last read before a pause of the process are there at the first one after it.
    [Fact]
    public void Time_in_which_nobody_read_counts_for_nothing()
    {
        Read(0, highest: 100);

        Start().ShouldBe(0);
        Read(60, highest: 100);
        Start().ShouldBe(100);
    }

    [Fact]
    public void Reads_that_only_go_on_leave_nothing_behind()
    {
        Read(0, highest: 100, hasMore: true);
        for (var second = 1; second <= 20; second++)
        {
            _position.Start(onward: true);
            _position.Read(100 + second, hasMore: true, second * Second);
        }

        Start().ShouldBe(0);
    }

    [Fact]
    public void A_read_that_stopped_among_late_rows_moves_nothing()
    {
        Read(0, highest: 100);
        Read(6, highest: 50, hasMore: true);

        Start().ShouldBe(0);
        _position.Highest.ShouldBe(100);
    }

    [Fact]
    public void Going_back_reads_on_from_there_until_everything_was_seen()
    {
        Read(0, highest: 1000);
        Read(10, highest: 1000);
        Start().ShouldBe(1000);

        _position.GoBack(10);
        Start().ShouldBe(9);
        Read(10, highest: 400, hasMore: true);
        Start().ShouldBe(400);
        Read(10, highest: 900, hasMore: false);
        Start().ShouldBe(1000);
    }

    [Fact]
    public void Going_back_twice_keeps_the_lower_row()
    {
        Read(0, highest: 1000);
        Read(10, highest: 1000);

        _position.GoBack(10);
        _position.GoBack(20);

        Start().ShouldBe(9);
    }

    [Fact]
    public void In_the_middle_of_a_backlog_a_read_goes_on_at_the_highest_row()
    {
        Read(0, highest: 100, hasMore: true);

        _position.Start(onward: true).ShouldBe(100);
        _position.Start().ShouldBe(0);
        Read(1, highest: 120);
        _position.Start(onward: true).ShouldBe(0);
    }

    [Fact]
    public void The_trail_stays_short_however_often_it_is_read()
    {
        for (var i = 0; i < 100_000; i++)
        {
            _position.Start();
            _position.Read(i, hasMore: false, TimeSpan.FromMilliseconds(i));
        }

        Start().ShouldBeInRange(94_000, 95_500);
    }

    private long Start() => _position.Start();

    private void Read(int second, long highest, bool hasMore = false)
    {
        _position.Start();
        _position.Read(highest, hasMore, second * Second);
    }
}
