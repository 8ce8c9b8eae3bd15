using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace Points.Migrations.Sqlite
{
    /// <inheritdoc />
    public partial class HalfMessages : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropIndex(
                name: "IX_OutboxMessage_Due",
                table: "OutboxMessage");

            migrationBuilder.AddColumn<string>(
                name: "History",
                table: "OutboxMessage",
                type: "TEXT",
                nullable: true);

            migrationBuilder.CreateIndex(
                name: "IX_OutboxMessage_Decided",
                table: "OutboxMessage",
                column: "ClosedAt",
                filter: "\"State\" >= 4");

            migrationBuilder.CreateIndex(
                name: "IX_OutboxMessage_Due",
                table: "OutboxMessage",
                columns: new[] { "DueAt", "SequenceNumber" },
                filter: "\"State\" = 0 AND \"DueAt\" IS NOT NULL");

            migrationBuilder.CreateIndex(
                name: "IX_OutboxMessage_Prepared",
                table: "OutboxMessage",
                columns: new[] { "DueAt", "SequenceNumber" },
                filter: "\"State\" = 3");
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropIndex(
                name: "IX_OutboxMessage_Decided",
                table: "OutboxMessage");

            migrationBuilder.DropIndex(
                name: "IX_OutboxMessage_Due",
                table: "OutboxMessage");

            migrationBuilder.DropIndex(
                name: "IX_OutboxMessage_Prepared",
                table: "OutboxMessage");

            migrationBuilder.DropColumn(
                name: "History",
                table: "OutboxMessage");

            migrationBuilder.CreateIndex(
                name: "IX_OutboxMessage_Due",
                table: "OutboxMessage",
                columns: new[] { "DueAt", "SequenceNumber" },
                filter: "\"DueAt\" IS NOT NULL");
        }
    }
}
