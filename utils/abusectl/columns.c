// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What list and stat can show, as data: one table for the output, for JSON and
 * for help. The values come from the library's view of sysfs.
 */
#include "cmd.h"
#include "complete.h"
#include "parse.h"

#include <json-c/json.h>
#include <libabuse.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum kind { DEVICE, TEXT, NUMBER, BYTES, YESNO };

struct column {
	const char *name;
	const char *json;
	enum kind kind;
	size_t offset;		/* in struct abuse_dev */
	const char *help;
};

#define COL(name, field, kind, help) \
	{ name, #field, kind, offsetof(struct abuse_dev, field), help }

static const struct column columns[] = {
	{ "DEVICE", "device", DEVICE, offsetof(struct abuse_dev, number),
	  "name of the disk" },
	COL("NUMBER", number, NUMBER, "its number"),
	COL("STATE", state, TEXT, "empty, up or dying"),
	COL("SIZE", size, BYTES, "capacity; bytes in JSON"),
	COL("RO", read_only, YESNO, "read-only"),
	COL("OWNER", owner, NUMBER, "uid; 0 = root's and the group's"),
	COL("TRUSTED", trusted, YESNO, "sealed by an administrator"),
	COL("ADMITTED", admitted, YESNO, "root may open the disk"),
	COL("READY", ready, YESNO, "a server is there"),
	COL("SERVERS", servers, NUMBER, "live servers"),
	COL("NAME", name, TEXT, "given name"),
	COL("UUID", uuid, TEXT, "given UUID"),
	COL("BLOCK", block_size, NUMBER, "logical block size in bytes"),
	COL("LIMIT", queue_limit, NUMBER, "requests handed out at once"),
	COL("QUEUES", hw_queues, NUMBER, "hardware queues"),
	COL("DEPTH", depth, NUMBER, "requests per hardware queue"),
	COL("QUEUED", queued, NUMBER, "requests waiting to be fetched"),
	COL("HELD", held, NUMBER, "requests servers hold"),
	COL("SERVED", served, NUMBER, "requests answered"),
	COL("ERRORS", errors, NUMBER, "requests that failed"),
	COL("RETURNED", returned, NUMBER, "requests dead servers gave back"),
	COL("OLDEST", oldest_ms, NUMBER, "milliseconds the oldest request waits"),
};

#define NR_COLUMNS	(sizeof(columns) / sizeof(*columns))

_Static_assert(NR_COLUMNS <= MAX_COLUMNS, "a selection holds every column");

static const struct column *column_find(const char *name)
{
	size_t i;

	for (i = 0; i < NR_COLUMNS; i++)
		if (!strcasecmp(columns[i].name, name))
			return &columns[i];
	return NULL;
}

void columns_all(struct selection *selection)
{
	for (selection->nr = 0; selection->nr < NR_COLUMNS; selection->nr++)
		selection->columns[selection->nr] = &columns[selection->nr];
}

bool columns_parse(const char *text, struct selection *selection)
{
	char *copy = strdup(text), *rest = copy, *name;

	selection->nr = 0;
	while (copy && (name = strsep(&rest, ","))) {
		const struct column *column = column_find(name);

		if (!column || selection->nr == MAX_COLUMNS) {
			misused("%s: %s", name, column ? "one column too many" :
				"no such column");
			free(copy);
			return false;
		}
		selection->columns[selection->nr++] = column;
	}
	free(copy);
	return copy != NULL;
}

void columns_help(void)
{
	size_t i;

	puts("Columns:");
	for (i = 0; i < NR_COLUMNS; i++)
		printf("  %-10s %s\n", columns[i].name, columns[i].help);
}

void columns_complete(const char *word)
{
	size_t i;

	for (i = 0; i < NR_COLUMNS; i++)
		complete_item(word, columns[i].name, columns[i].help);
}

static const void *field(const struct abuse_dev *dev, const struct column *column)
{
	return (const char *)dev + column->offset;
}

static uint64_t field_number(const struct abuse_dev *dev,
			     const struct column *column)
{
	uint64_t number;

	memcpy(&number, field(dev, column), sizeof(number));
	return number;
}

#define CELL_TEXT	48

static const char *cell(const struct abuse_dev *dev, const struct column *column,
			char text[CELL_TEXT])
{
	switch (column->kind) {
	case DEVICE:
		snprintf(text, CELL_TEXT, "abuse%u",
			 (unsigned int)field_number(dev, column));
		return text;
	case TEXT:
		return *(const char *)field(dev, column) ? field(dev, column) : "-";
	case NUMBER:
		snprintf(text, CELL_TEXT, "%llu",
			 (unsigned long long)field_number(dev, column));
		return text;
	case BYTES:
		return format_size(field_number(dev, column), text);
	case YESNO:
		return field_number(dev, column) ? "yes" : "no";
	}
	return "";
}

static json_object *json_cell(const struct abuse_dev *dev,
			      const struct column *column)
{
	char text[CELL_TEXT];

	switch (column->kind) {
	case DEVICE:
		return json_object_new_string(cell(dev, column, text));
	case TEXT:
		return *(const char *)field(dev, column) ?
			json_object_new_string(field(dev, column)) : NULL;
	case NUMBER:
	case BYTES:
		return json_object_new_uint64(field_number(dev, column));
	case YESNO:
		return json_object_new_boolean(field_number(dev, column) != 0);
	}
	return NULL;
}

void columns_print(const struct selection *selection,
		   const struct abuse_dev *devs, size_t nr)
{
	int width[MAX_COLUMNS];
	char text[CELL_TEXT];
	unsigned int c;
	size_t d;

	for (c = 0; c < selection->nr; c++) {
		width[c] = (int)strlen(selection->columns[c]->name);
		for (d = 0; d < nr; d++) {
			int len = (int)strlen(cell(&devs[d], selection->columns[c],
						   text));

			width[c] = len > width[c] ? len : width[c];
		}
	}
	for (d = 0; d <= nr; d++)
		for (c = 0; c < selection->nr; c++) {
			const struct column *column = selection->columns[c];
			const char *value = d ? cell(&devs[d - 1], column, text) :
						column->name;
			bool last = c + 1 == selection->nr;

			if (column->kind == NUMBER || column->kind == BYTES)
				printf("%*s%s", width[c], value, last ? "\n" : "  ");
			else if (last)
				puts(value);
			else
				printf("%-*s  ", width[c], value);
		}
}

void columns_print_json(const struct selection *selection,
			const struct abuse_dev *devs, size_t nr)
{
	json_object *root = json_object_new_object();
	json_object *list = json_object_new_array();
	unsigned int c;
	size_t d;

	for (d = 0; d < nr; d++) {
		json_object *row = json_object_new_object();

		for (c = 0; c < selection->nr; c++)
			json_object_object_add(row, selection->columns[c]->json,
				json_cell(&devs[d], selection->columns[c]));
		json_object_array_add(list, row);
	}
	json_object_object_add(root, "devices", list);
	puts(json_object_to_json_string_ext(root, JSON_C_TO_STRING_PRETTY |
					    JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(root);
}
