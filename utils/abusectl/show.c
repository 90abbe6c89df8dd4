// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What list and stat share: options, the devices meant, and the choice between
 * table and JSON. Works without the module, and without permissions.
 */
#include "cmd.h"
#include "complete.h"

#include <errno.h>
#include <getopt.h>
#include <libabuse.h>
#include <stdlib.h>
#include <string.h>

struct devices {
	struct abuse_dev *devs;
	size_t nr;
};

static int collect(const struct abuse_dev *dev, void *arg)
{
	struct devices *all = arg;
	struct abuse_dev *devs = reallocarray(all->devs, all->nr + 1, sizeof(*devs));

	if (!devs)
		return -ENOMEM;
	devs[all->nr++] = *dev;
	all->devs = devs;
	return 0;
}

static int collect_one(const char *text, struct devices *all)
{
	struct abuse_dev dev;
	int ret = abuse_dev_find(text);

	if (ret >= 0)
		ret = abuse_dev_stat((unsigned int)ret, &dev);
	if (!ret)
		ret = collect(&dev, all);
	return ret ? device_missing(text, -ret) : EXIT_OK;
}

static int collect_all(struct devices *all)
{
	int ret = abuse_dev_each(collect, all);

	if (ret == -ENODEV)
		return note(NULL, "no devices: %s", module_remedy());
	return ret ? failed("devices", "cannot be listed: %s", strerror(-ret)) :
		     EXIT_OK;
}

static int show(const struct selection *selection, char *const *names, bool json)
{
	struct devices all = { 0 };
	int status = EXIT_OK;

	if (!*names)
		status = collect_all(&all);
	for (; *names; names++)
		if (collect_one(*names, &all))
			status = EXIT_FAILED;
	if (json)
		columns_print_json(selection, all.devs, all.nr);
	else if (all.nr || (status == EXIT_OK && abuse_dev_is_loaded()))
		columns_print(selection, all.devs, all.nr);
	free(all.devs);
	return status;
}

int show_devices(int argc, char **argv, const char *default_columns)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "output", required_argument, NULL, 'o' },
		{ NULL, 0, NULL, 0 },
	};
	const char *wanted = NULL;
	struct selection selection;
	bool json = false;
	int option;

	opterr = 0;
	while ((option = getopt_long(argc, argv, "jo:", options, NULL)) != -1)
		switch (option) {
		case 'j':
			json = true;
			break;
		case 'o':
			wanted = optarg;
			break;
		default:
			return misused("%s: no such option, or its argument is "
				       "missing", argv[optind - 1]);
		}
	if (json && !wanted)
		columns_all(&selection);
	else if (!columns_parse(wanted ? wanted : default_columns, &selection))
		return EXIT_USAGE;
	return show(&selection, argv + optind, json);
}

void show_complete(int argc, char **argv)
{
	const char *word = argv[argc - 1], *before = argv[argc - 2];

	if (!strcmp(before, "-o") || !strcmp(before, "--output")) {
		columns_complete(word);
		return;
	}
	complete_word(word, "--json", "all columns as JSON, sizes in bytes");
	complete_word(word, "--output", "these columns");
	complete_devices(word);
}
