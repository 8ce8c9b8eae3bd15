using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace Notifications.Migrations.Sqlite
{
    /// <inheritdoc />
    public partial class ScheduledMessages : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.CreateIndex(
                name: "IX_OutboxMessage_Scheduled",
                table: "OutboxMessage",
                column: "MessageId",
                filter: "\"DueAt\" IS NOT NULL");
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropIndex(
                name: "IX_OutboxMessage_Scheduled",
                table: "OutboxMessage");
        }
    }
}
