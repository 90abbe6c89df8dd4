// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (C) 2026 the abuse authors
/*
 * The columns of list and stat, as data: one table for the output, for JSON and
 * for help. The values come from the library's view of sysfs.
 */
#include "cmd.h"
#include "complete.h"
#include "json-number.h"
#include "json-text.h"
#include "parse.h"

#include <libabuse.h>
#include <libsmartcols/libsmartcols.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum kind { DEVICE, TEXT, NUMBER, BYTES, YESNO, ATTRIBUTE, COUNT_ATTRIBUTE, PIDS };

struct column {
	const char *name;
	const char *json;
	enum kind kind;
	size_t offset;		/* in struct abuse_dev */
	const char *help;
	const char *attribute;	/* in sysfs, in place of offset */
};

#define COL(name, field, kind, help) \
	{ name, #field, kind, offsetof(struct abuse_dev, field), help, NULL }

static const struct column columns[] = {
	{ "DEVICE", "device", DEVICE, offsetof(struct abuse_dev, number),
	  "name of the disk", NULL },
	COL("NUMBER", number, NUMBER, "its number"),
	COL("STATE", state, TEXT, "empty, up or dying"),
	COL("SIZE", size, BYTES, "capacity; bytes in JSON and with --bytes"),
	COL("RO", read_only, YESNO, "read-only"),
	COL("OWNER", owner, NUMBER, "uid; 0 = root's and the group's"),
	COL("TRUSTED", trusted, YESNO, "sealed by an administrator"),
	COL("ADMITTED", admitted, YESNO, "root may open the disk"),
	{ "SERVERS", "servers", COUNT_ATTRIBUTE, 0, "live servers", "servers" },
	{ "PIDS", "pids", PIDS, 0, "their process ids, as seen from here", "servers" },
	{ "BACKING", "backing", ATTRIBUTE, 0, "label of the store: BACKEND:PATH", "store" },
	COL("READY", ready, YESNO, "a server has waited for requests since configuration, and one is alive"),
	COL("NAME", name, TEXT, "given name"),
	COL("UUID", uuid, TEXT, "given UUID"),
	COL("BLOCK", block_size, NUMBER, "logical block size in bytes"),
	COL("LIMIT", queue_limit, NUMBER, "most requests with servers at once"),
	COL("QUEUES", hw_queues, NUMBER, "hardware queues"),
	COL("DEPTH", depth, NUMBER, "requests per hardware queue"),
	COL("QUEUED", queued, NUMBER, "requests waiting to be fetched"),
	COL("HELD", held, NUMBER, "requests that servers hold"),
	COL("SERVED", served, NUMBER, "requests completed"),
	COL("ERRORS", errors, NUMBER, "requests that failed"),
	COL("RETURNED", returned, NUMBER, "requests that returned from dead servers"),
	{ "REDIRECTED", "redirected", COUNT_ATTRIBUTE, 0,
	  "requests that the kernel executes on a file", "redirected" },
	{ "EXTENTS", "map_extents", COUNT_ATTRIBUTE, 0,
	  "ranges that the kernel serves alone", "map_extents" },
	{ "INPLACE", "map_in_place", COUNT_ATTRIBUTE, 0,
	  "reads that the kernel completed in place", "map_in_place" },
	{ "BYWORKER", "map_by_worker", COUNT_ATTRIBUTE, 0,
	  "requests that a kernel thread completed", "map_by_worker" },
	{ "MISSED", "map_missed", COUNT_ATTRIBUTE, 0,
	  "requests that no range contains", "map_missed" },
	COL("OLDEST", oldest_ms, NUMBER, "age of the oldest request in milliseconds"),
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

static bool take(const char *text, struct selection *selection)
{
	char *copy = strdup(text), *rest = copy, *name;
	/* NOLINTNEXTLINE(bugprone-sizeof-expression): an array of pointers */
	const unsigned int most = sizeof(selection->columns) / sizeof(*selection->columns);

	while (copy && (name = strsep(&rest, ","))) {
		const struct column *column = column_find(name);

		if (!column || selection->nr == most) {
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

bool columns_parse(const char *text, const char *defaults, struct selection *selection)
{
	selection->nr = 0;
	if (*text == '+' && !take(defaults, selection))
		return false;
	return take(text + (*text == '+'), selection);
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

#define CELL_TEXT	1024

static bool is_numeric(const struct column *column)
{
	return column->kind == NUMBER || column->kind == BYTES ||
	       column->kind == COUNT_ATTRIBUTE;
}

/* Behind the count: "7 8" of "2 7 8" */
static const char *pids(const char *servers)
{
	servers += strspn(servers, "0123456789");
	return servers + strspn(servers, " ");
}

/* The text of a cell, or NULL: there is none. */
static const char *cell(const struct abuse_dev *dev, const struct column *column,
			const struct style *style, char text[CELL_TEXT])
{
	const char *value = text;

	if (column->attribute)
		device_attribute((unsigned int)dev->number, column->attribute, text, CELL_TEXT);
	switch (column->kind) {
	case DEVICE:
		snprintf(text, CELL_TEXT, "abuse%u", (unsigned int)field_number(dev, column));
		break;
	case TEXT:
		value = field(dev, column);
		break;
	case BYTES:
		if (!style->bytes && !style->json) {
			format_size(field_number(dev, column), text);
			break;
		}
		__attribute__((fallthrough));
	case NUMBER:
		snprintf(text, CELL_TEXT, "%llu",
			 (unsigned long long)field_number(dev, column));
		break;
	case YESNO:
		value = field_number(dev, column) ? "yes" : "no";
		break;
	case COUNT_ATTRIBUTE:
		text[strspn(text, "0123456789")] = '\0';
		break;
	case PIDS:
		value = pids(text);
		break;
	case ATTRIBUTE:
		break;
	}
	return *value ? value : NULL;
}

static bool add_columns(struct libscols_table *table, const struct selection *selection)
{
	unsigned int c;

	for (c = 0; c < selection->nr; c++) {
		const struct column *column = selection->columns[c];

		if (!scols_table_new_column(table, column->name, 0,
					    is_numeric(column) ? SCOLS_FL_RIGHT : 0))
			return false;
	}
	return true;
}

static bool add_line(struct libscols_table *table, const struct selection *selection,
		     const struct style *style, const struct abuse_dev *dev)
{
	struct libscols_line *line = scols_table_new_line(table, NULL);
	char text[CELL_TEXT];
	const char *value;
	unsigned int c;

	for (c = 0; line && c < selection->nr; c++) {
		value = cell(dev, selection->columns[c], style, text);
		if (scols_line_set_data(line, c, value ? value : "-"))
			return false;
	}
	return line;
}

static void print_headings(const struct selection *selection)
{
	unsigned int c;

	for (c = 0; c < selection->nr; c++)
		printf("%s%s", selection->columns[c]->name, c + 1 < selection->nr ? " " : "\n");
}

static json_object *json_value(const struct column *column, const char *value)
{
	if (!value)
		return NULL;
	if (is_numeric(column))
		return json_number(strtoull(value, NULL, 10));
	if (column->kind == YESNO)
		return json_object_new_boolean(!strcmp(value, "yes"));
	return json_text(value);
}

/* libsmartcols, which knows JSON, knows numbers in it only since util-linux 2.33; Enterprise Linux 8 has 2.32. */
static void print_json(const struct selection *selection, const struct style *style,
		       const struct abuse_dev *devs, size_t nr)
{
	json_object *root = json_object_new_object(), *all = json_object_new_array(), *one;
	char text[CELL_TEXT];
	unsigned int c;
	size_t d;

	for (d = 0; d < nr; d++) {
		one = json_object_new_object();
		for (c = 0; c < selection->nr; c++) {
			const struct column *column = selection->columns[c];
			const char *value = cell(&devs[d], column, style, text);

			json_object_object_add(one, column->json, json_value(column, value));
		}
		json_object_array_add(all, one);
	}
	json_object_object_add(root, "devices", all);
	puts(json_object_to_json_string_ext(root, JSON_C_TO_STRING_PRETTY |
					    JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(root);
}

int columns_print(const struct selection *selection, const struct style *style,
		  const struct abuse_dev *devs, size_t nr)
{
	struct libscols_table *table;
	bool is_complete;
	size_t d;

	if (style->json) {
		print_json(selection, style, devs, nr);
		return EXIT_OK;
	}
	table = scols_new_table();
	is_complete = table && add_columns(table, selection);
	for (d = 0; is_complete && d < nr; d++)
		is_complete = add_line(table, selection, style, &devs[d]);
	if (is_complete && !nr) {	/* of which the library prints nothing, or not always */
		if (!style->no_headings)
			print_headings(selection);
	} else if (is_complete) {
		scols_table_enable_raw(table, style->raw);
		scols_table_enable_noheadings(table, style->no_headings);
		scols_print_table(table);
	}
	scols_unref_table(table);
	return is_complete ? EXIT_OK : failed("devices", "out of memory");
}
