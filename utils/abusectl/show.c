// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (C) 2026 the abuse authors
/*
 * Shared by list and stat: options, the devices meant, and the choice between
 * table and JSON. Works without the module, and without permissions.
 */
#include "cmd.h"
#include "backends/label.h"
#include "complete.h"
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <libabuse.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- devices whose store is a file ---- */

struct backed {
	struct devices *all;
	const char *path;
};

static bool is_backed(const char *store, const struct backed *backed)
{
	static const char *const backends[] = { "file", "cow", "mem", "qemu" };
	char label[ABUSE_STORE_LEN];
	size_t i;

	for (i = 0; i < sizeof(backends) / sizeof(*backends); i++) {
		label_of_path(backends[i], backed->path, label);
		if (!strcmp(store, label))
			return true;
	}
	return false;
}

static int collect_backed(const struct abuse_dev *dev, void *arg)
{
	struct backed *backed = arg;
	char store[ABUSE_STORE_LEN + 1];

	device_attribute((unsigned int)dev->number, "store", store, sizeof(store));
	return is_backed(store, backed) ? devices_append(dev, backed->all) : 0;
}

static int collect_by_file(const char *path, struct devices *all)
{
	struct backed backed = { .all = all, .path = path };
	int ret;

	ret = abuse_dev_each(collect_backed, &backed);
	if (ret && ret != -ENODEV)
		return failed("devices", "cannot be listed: %s", strerror(-ret));
	return EXIT_OK;
}

/* ---- the two verbs ---- */

static int show(const struct selection *selection, const struct style *style,
		char *const *names, const char *file)
{
	struct devices all = { 0 };
	int status, ret;

	status = file ? collect_by_file(file, &all) : devices_collect(names, &all);
	if (style->json || all.nr ||
	    (status == EXIT_OK && !file && abuse_dev_is_loaded())) {
		ret = columns_print(selection, style, all.devs, all.nr);
		status = ret ? ret : status;
	}
	free(all.devs);
	return status;
}

const struct opt show_options[] = {
	{ .letter = 'J', .name = "json", .help = "JSON, {\"devices\": [...]}, with sizes in bytes; all columns by default" },
	{ .letter = 'n', .name = "noheadings", .help = "no headings" },
	{ .letter = 'r', .name = "raw", .help = "no padding; blanks in a cell as \\x20" },
	{ .letter = 'b', .name = "bytes", .help = "sizes in bytes" },
	{ .letter = 'o', .name = "output", .value = "COL,...",
	  .help = "these columns; with + before them, the usual ones and these" },
	{ .letter = 'O', .name = "output-all", .help = "all columns" },
	{ .letter = 'j', .name = "associated", .value = "FILE",
	  .help = "devices whose store is FILE, of backends file, cow (DELTA), mem and qemu" },
	{ 0 },
};

int show_devices(const struct cmd *cmd, int argc, char **argv, const char *defaults)
{
	const char *wanted = NULL, *file = NULL, *value;
	struct selection selection;
	struct style style = { 0 };
	bool all = false;
	int option;

	while ((option = option_next(cmd, argc, argv, &value)) > 0)
		switch (option) {
		case 'J':
			style.json = true;
			break;
		case 'n':
			style.no_headings = true;
			break;
		case 'r':
			style.raw = true;
			break;
		case 'b':
			style.bytes = true;
			break;
		case 'o':
			wanted = value;
			break;
		case 'O':
			all = true;
			break;
		case 'j':
			file = value;
			break;
		}
	if (option < 0)
		return option_status(option);
	if (file && argv[optind])
		return misused("%s: --associated finds devices by their store; leave DEV out",
			       argv[optind]);
	if (all || (style.json && !wanted))
		columns_all(&selection);
	else if (!columns_parse(wanted ? wanted : defaults, defaults, &selection))
		return EXIT_USAGE;
	return show(&selection, &style, argv + optind, file);
}

void show_complete(int argc, char **argv)
{
	const char *word = argv[argc - 1], *before = argv[argc - 2];

	if (!strcmp(before, "-o") || !strcmp(before, "--output")) {
		columns_complete(word);
		return;
	}
	if (!strcmp(before, "-j") || !strcmp(before, "--associated")) {
		complete_files(word, 0);
		return;
	}
	options_complete(cmd_lookup(argv[0]), word);
	complete_devices(word);
}

void show_details(const char *defaults)
{
	printf("Columns by default: %s\n\n", defaults);
	columns_help();
}
