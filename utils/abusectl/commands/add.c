// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (C) 2026 the abuse authors
/*
 * abusectl add: make a device and print the path of its disk.
 */
#include "cmd.h"
#include "keys/hint.h"
#include "keys/key.h"
#include "options.h"
#include "parse.h"

#include <ctype.h>
#include <libabuse.h>
#include <stdio.h>
#include <unistd.h>

static const struct key keys[] = {
	{ { "name" }, KEY_NAME, .offset = offsetof(struct abuse_add, name),
	  .help = "1 to 31 of A-Z a-z 0-9 . _ -; unique (default: none)" },
	{ { "uuid" }, KEY_UUID, .offset = offsetof(struct abuse_add, uuid),
	  .help = "unique (default: none)" },
	{ { "hw_queues" }, KEY_NUMBER, 4, offsetof(struct abuse_add, hw_queues), 1, 64,
	  .help = "hardware queues, 1 to 64 (default 1)" },
	{ { "depth" }, KEY_NUMBER, 4, offsetof(struct abuse_add, depth), 1, 1024,
	  .help = "requests per hardware queue, 1 to 1024 (default 512)" },
	{ { "owner" }, KEY_USER, .offset = offsetof(struct abuse_add, owner),
	  .second = offsetof(struct abuse_add, flags), .bit = ABUSE_ADD_OWNER,
	  .help = "uid or name; for root only (default: an ordinary user\n"
		  "owns the device; the group abuse uses root's)" },
};

static const struct key_table table = KEY_TABLE(keys);

bool add_knows(const char *name)
{
	return key_find(&table, name);
}

static int run(int argc, char **argv)
{
	struct abuse_add add = { .number = ABUSE_NUMBER_ANY };
	char *list, *key, *value, hint[HINT_TEXT];
	uint64_t number, given = 0;
	int i, option, ret;
	const char *word;

	while ((option = option_next(&cmd_add, argc, argv, &word)) > 0)
		;
	if (option < 0)
		return option_status(option);
	i = optind;
	if (i < argc && isdigit((unsigned char)*argv[i])) {
		if (parse_number(argv[i], &number) || number > ABUSE_MAX_NUMBER)
			return invalid(NULL, "%s: a device's number is from 0 to %u",
				       argv[i], ABUSE_MAX_NUMBER);
		add.number = (uint32_t)number;
		i++;
	}
	for (; i < argc; i++)
		for (list = argv[i]; parse_pair(&list, &key, &value); ) {
			ret = key_take(&table, &add, &given, NULL, key, value);
			if (ret < 0)
				return misused("%s: no such key%s", key, key_hint(key, value, hint));
			if (ret)
				return ret;
		}
	ret = device_add(&add);
	if (ret)
		return ret;
	printf("/dev/abuse%u\n", add.number);
	return EXIT_OK;
}

static void details(void)
{
	puts("N is its number; default: any free one. Prints the path of the disk.\n"
	     "\n"
	     "Keys, separated by commas:");
	keys_help(&table);
}

static void complete(int argc, char **argv)
{
	options_complete(&cmd_add, argv[argc - 1]);
	if (*argv[argc - 1] != '-')
		keys_complete(&table, argv[argc - 1], NULL);
}

const struct cmd cmd_add = {
	.name = "add",
	.run = run,
	.args = "[N] [KEY=VALUE,...]",
	.summary = "add a device",
	.details = details,
	.complete = complete,
};
