using System;
using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace Notifications.Migrations.Sqlite
{
    /// <inheritdoc />
    public partial class Webhooks : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.AddColumn<DateTime>(
                name: "CreatedAt",
                table: "BusinessEvent",
                type: "TEXT",
                nullable: false,
                defaultValue: new DateTime(1, 1, 1, 0, 0, 0, 0, DateTimeKind.Unspecified));

            migrationBuilder.AddColumn<DateTime>(
                name: "CreatedAt",
                table: "Receiver",
                type: "TEXT",
                nullable: false,
                defaultValue: new DateTime(1, 1, 1, 0, 0, 0, 0, DateTimeKind.Unspecified));

            migrationBuilder.AddColumn<string>(
                name: "EventTypes",
                table: "Receiver",
                type: "TEXT",
                maxLength: 2000,
                nullable: true);

            migrationBuilder.AddColumn<DateTime>(
                name: "AcknowledgedAt",
                table: "Notification",
                type: "TEXT",
                nullable: true);

            migrationBuilder.AddColumn<long>(
                name: "Position",
                table: "Notification",
                type: "INTEGER",
                nullable: true);

            migrationBuilder.AddColumn<byte[]>(
                name: "Body",
                table: "BusinessEvent",
                type: "BLOB",
                nullable: true);

            migrationBuilder.AddColumn<string>(
                name: "TraceParent",
                table: "BusinessEvent",
                type: "TEXT",
                maxLength: 55,
                nullable: true);

            // By hand: what was told is kept, as the body that it would have today. And the column is dropped by SQLite itself:
            // EF would make the tables anew, partly outside the transaction, and a kill would leave them half made.
            migrationBuilder.Sql(
                """
                UPDATE "BusinessEvent" SET
                    "CreatedAt" = "OccurredAt",
                    "Body" = CAST('{"type":"' || "Type" || '","timestamp":"' || replace("OccurredAt", ' ', 'T') || 'Z","data":' || "Data" || '}' AS BLOB)
                """);
            migrationBuilder.Sql("""ALTER TABLE "BusinessEvent" DROP COLUMN "Data" """);

            migrationBuilder.CreateTable(
                name: "FeedCounter",
                columns: table => new
                {
                    Id = table.Column<int>(type: "INTEGER", nullable: false),
                    Last = table.Column<long>(type: "INTEGER", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_FeedCounter", x => x.Id);
                });

            migrationBuilder.CreateTable(
                name: "WebhookEndpoint",
                columns: table => new
                {
                    Id = table.Column<Guid>(type: "TEXT", nullable: false),
                    ReceiverId = table.Column<Guid>(type: "TEXT", nullable: false),
                    Url = table.Column<string>(type: "TEXT", maxLength: 2048, nullable: false),
                    EventTypes = table.Column<string>(type: "TEXT", maxLength: 2000, nullable: false),
                    Description = table.Column<string>(type: "TEXT", maxLength: 256, nullable: true),
                    Headers = table.Column<byte[]>(type: "BLOB", nullable: true),
                    RateLimit = table.Column<int>(type: "INTEGER", nullable: true),
                    Schedule = table.Column<string>(type: "TEXT", maxLength: 16, nullable: false),
                    SuccessBody = table.Column<string>(type: "TEXT", maxLength: 64, nullable: true),
                    State = table.Column<int>(type: "INTEGER", nullable: false),
                    DisabledReason = table.Column<string>(type: "TEXT", maxLength: 256, nullable: true),
                    ThrottledUntil = table.Column<DateTime>(type: "TEXT", nullable: true),
                    Version = table.Column<int>(type: "INTEGER", nullable: false),
                    Secret = table.Column<byte[]>(type: "BLOB", nullable: false),
                    PreviousSecret = table.Column<byte[]>(type: "BLOB", nullable: true),
                    PreviousSecretUntil = table.Column<DateTime>(type: "TEXT", nullable: true),
                    CreatedAt = table.Column<DateTime>(type: "TEXT", nullable: false),
                    UpdatedAt = table.Column<DateTime>(type: "TEXT", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_WebhookEndpoint", x => x.Id);
                    table.ForeignKey(
                        name: "FK_WebhookEndpoint_Receiver_ReceiverId",
                        column: x => x.ReceiverId,
                        principalTable: "Receiver",
                        principalColumn: "Id",
                        onDelete: ReferentialAction.Restrict);
                });

            migrationBuilder.CreateTable(
                name: "Delivery",
                columns: table => new
                {
                    Id = table.Column<Guid>(type: "TEXT", nullable: false),
                    NotificationId = table.Column<Guid>(type: "TEXT", nullable: false),
                    EndpointId = table.Column<Guid>(type: "TEXT", nullable: false),
                    State = table.Column<int>(type: "INTEGER", nullable: false),
                    Attempt = table.Column<int>(type: "INTEGER", nullable: false),
                    Step = table.Column<int>(type: "INTEGER", nullable: false),
                    NextAttemptAt = table.Column<DateTime>(type: "TEXT", nullable: true),
                    LeaseUntil = table.Column<DateTime>(type: "TEXT", nullable: true),
                    CreatedAt = table.Column<DateTime>(type: "TEXT", nullable: false),
                    UpdatedAt = table.Column<DateTime>(type: "TEXT", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_Delivery", x => x.Id);
                    table.ForeignKey(
                        name: "FK_Delivery_Notification_NotificationId",
                        column: x => x.NotificationId,
                        principalTable: "Notification",
                        principalColumn: "Id",
                        onDelete: ReferentialAction.Restrict);
                    table.ForeignKey(
                        name: "FK_Delivery_WebhookEndpoint_EndpointId",
                        column: x => x.EndpointId,
                        principalTable: "WebhookEndpoint",
                        principalColumn: "Id",
                        onDelete: ReferentialAction.Restrict);
                });

            migrationBuilder.CreateTable(
                name: "Job",
                columns: table => new
                {
                    Id = table.Column<Guid>(type: "TEXT", nullable: false),
                    EndpointId = table.Column<Guid>(type: "TEXT", nullable: false),
                    ReceiverId = table.Column<Guid>(type: "TEXT", nullable: false),
                    Scope = table.Column<int>(type: "INTEGER", nullable: false),
                    Since = table.Column<DateTime>(type: "TEXT", nullable: false),
                    Until = table.Column<DateTime>(type: "TEXT", nullable: false),
                    State = table.Column<int>(type: "INTEGER", nullable: false),
                    LastCreatedAt = table.Column<DateTime>(type: "TEXT", nullable: true),
                    LastId = table.Column<Guid>(type: "TEXT", nullable: true),
                    Recovered = table.Column<int>(type: "INTEGER", nullable: false),
                    CreatedAt = table.Column<DateTime>(type: "TEXT", nullable: false),
                    FinishedAt = table.Column<DateTime>(type: "TEXT", nullable: true)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_Job", x => x.Id);
                    table.ForeignKey(
                        name: "FK_Job_WebhookEndpoint_EndpointId",
                        column: x => x.EndpointId,
                        principalTable: "WebhookEndpoint",
                        principalColumn: "Id",
                        onDelete: ReferentialAction.Restrict);
                });

            migrationBuilder.CreateTable(
                name: "DeliveryAttempt",
                columns: table => new
                {
                    DeliveryId = table.Column<Guid>(type: "TEXT", nullable: false),
                    Number = table.Column<int>(type: "INTEGER", nullable: false),
                    StartedAt = table.Column<DateTime>(type: "TEXT", nullable: false),
                    DurationMilliseconds = table.Column<int>(type: "INTEGER", nullable: false),
                    Outcome = table.Column<int>(type: "INTEGER", nullable: false),
                    StatusCode = table.Column<int>(type: "INTEGER", nullable: true),
                    Answer = table.Column<string>(type: "TEXT", maxLength: 1024, nullable: true),
                    Error = table.Column<string>(type: "TEXT", maxLength: 1024, nullable: true),
                    NextAttemptAt = table.Column<DateTime>(type: "TEXT", nullable: true)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_DeliveryAttempt", x => new { x.DeliveryId, x.Number });
                    table.ForeignKey(
                        name: "FK_DeliveryAttempt_Delivery_DeliveryId",
                        column: x => x.DeliveryId,
                        principalTable: "Delivery",
                        principalColumn: "Id",
                        onDelete: ReferentialAction.Cascade);
                });

            migrationBuilder.InsertData(
                table: "FeedCounter",
                columns: new[] { "Id", "Last" },
                values: new object[] { 1, 0L });

            migrationBuilder.CreateIndex(
                name: "IX_Notification_CreatedAt_Id",
                table: "Notification",
                columns: new[] { "CreatedAt", "Id" },
                filter: "\"Position\" IS NULL");

            migrationBuilder.CreateIndex(
                name: "IX_Notification_ReceiverId_Position",
                table: "Notification",
                columns: new[] { "ReceiverId", "Position" });

            migrationBuilder.CreateIndex(
                name: "IX_BusinessEvent_CreatedAt",
                table: "BusinessEvent",
                column: "CreatedAt",
                filter: "\"Body\" IS NOT NULL");

            migrationBuilder.CreateIndex(
                name: "IX_Delivery_EndpointId_State_NextAttemptAt",
                table: "Delivery",
                columns: new[] { "EndpointId", "State", "NextAttemptAt" });

            migrationBuilder.CreateIndex(
                name: "IX_Delivery_LeaseUntil",
                table: "Delivery",
                column: "LeaseUntil",
                filter: "\"LeaseUntil\" IS NOT NULL");

            migrationBuilder.CreateIndex(
                name: "IX_Delivery_NextAttemptAt",
                table: "Delivery",
                column: "NextAttemptAt",
                filter: "\"NextAttemptAt\" IS NOT NULL");

            migrationBuilder.CreateIndex(
                name: "IX_Delivery_NotificationId_EndpointId",
                table: "Delivery",
                columns: new[] { "NotificationId", "EndpointId" },
                unique: true);

            migrationBuilder.CreateIndex(
                name: "IX_DeliveryAttempt_StartedAt",
                table: "DeliveryAttempt",
                column: "StartedAt");

            migrationBuilder.CreateIndex(
                name: "IX_Job_CreatedAt",
                table: "Job",
                column: "CreatedAt");

            migrationBuilder.CreateIndex(
                name: "IX_Job_EndpointId",
                table: "Job",
                column: "EndpointId");

            migrationBuilder.CreateIndex(
                name: "IX_WebhookEndpoint_ReceiverId_CreatedAt_Id",
                table: "WebhookEndpoint",
                columns: new[] { "ReceiverId", "CreatedAt", "Id" });

            migrationBuilder.CreateIndex(
                name: "IX_WebhookEndpoint_State",
                table: "WebhookEndpoint",
                column: "State");
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropTable(
                name: "DeliveryAttempt");

            migrationBuilder.DropTable(
                name: "FeedCounter");

            migrationBuilder.DropTable(
                name: "Job");

            migrationBuilder.DropTable(
                name: "Delivery");

            migrationBuilder.DropTable(
                name: "WebhookEndpoint");

            migrationBuilder.DropIndex(
                name: "IX_Notification_CreatedAt_Id",
                table: "Notification");

            migrationBuilder.DropIndex(
                name: "IX_Notification_ReceiverId_Position",
                table: "Notification");

            migrationBuilder.DropIndex(
                name: "IX_BusinessEvent_CreatedAt",
                table: "BusinessEvent");

            migrationBuilder.DropColumn(
                name: "CreatedAt",
                table: "Receiver");

            migrationBuilder.DropColumn(
                name: "EventTypes",
                table: "Receiver");

            migrationBuilder.DropColumn(
                name: "AcknowledgedAt",
                table: "Notification");

            migrationBuilder.DropColumn(
                name: "Position",
                table: "Notification");

            migrationBuilder.DropColumn(
                name: "Body",
                table: "BusinessEvent");

            migrationBuilder.DropColumn(
                name: "TraceParent",
                table: "BusinessEvent");

            migrationBuilder.DropColumn(
                name: "CreatedAt",
                table: "BusinessEvent");

            migrationBuilder.AddColumn<string>(
                name: "Data",
                table: "BusinessEvent",
                type: "TEXT",
                nullable: false,
                defaultValue: "{}");
        }
    }
}
