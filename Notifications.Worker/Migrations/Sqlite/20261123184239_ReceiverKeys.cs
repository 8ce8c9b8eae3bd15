using System;
using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace Notifications.Migrations.Sqlite
{
    /// <inheritdoc />
    public partial class ReceiverKeys : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.AddColumn<string>(
                name: "PreviousApiKeyHash",
                table: "Receiver",
                type: "TEXT",
                maxLength: 64,
                nullable: true);

            migrationBuilder.AddColumn<DateTime>(
                name: "PreviousApiKeyUntil",
                table: "Receiver",
                type: "TEXT",
                nullable: true);

            migrationBuilder.CreateIndex(
                name: "IX_Receiver_PreviousApiKeyHash",
                table: "Receiver",
                column: "PreviousApiKeyHash");
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropIndex(
                name: "IX_Receiver_PreviousApiKeyHash",
                table: "Receiver");

            migrationBuilder.DropColumn(
                name: "PreviousApiKeyHash",
                table: "Receiver");

            migrationBuilder.DropColumn(
                name: "PreviousApiKeyUntil",
                table: "Receiver");
        }
    }
}
