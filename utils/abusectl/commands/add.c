// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * abusectl add: make a device and print the path of its disk.
 */
#include "cmd.h"
#include "complete.h"
#include "parse.h"

#include <ctype.h>
#include <libabuse.h>
#include <stdio.h>
#include <string.h>

static const struct {
	const char *name, *value, *help;
} keys[] = {
	{ "name", "NAME", "1 to 31 of A-Z a-z 0-9 . _ -; unique (default: none)" },
	{ "uuid", "UUID", "unique (default: none)" },
	{ "hw_queues", "N", "hardware queues, 1 to 64 (default 1)" },
	{ "depth", "N", "requests per hardware queue, 1 to 1024 (default 512)" },
	{ "owner", "USER", "uid or name; for root only (default: an ordinary user\n"
	  "                 owns what he adds, root's belong to the group abuse)" },
};

#define NR_KEYS	(sizeof(keys) / sizeof(*keys))

static int parse_count(const char *key, const char *value, uint32_t max,
		       uint32_t *count)
{
	uint64_t number;

	if (!value || parse_number(value, &number) || !number || number > max)
		return invalid(NULL, "%s=%s: must be a number from 1 to %u", key,
			       value ? value : "", max);
	*count = (uint32_t)number;
	return EXIT_OK;
}

static int parse_key(struct abuse_add *add, const char *key, const char *value)
{
	if (!strcmp(key, "hw_queues"))
		return parse_count(key, value, 64, &add->hw_queues);
	if (!strcmp(key, "depth"))
		return parse_count(key, value, 1024, &add->depth);
	if (!strcmp(key, "name"))
		return value && !parse_name(value, add->name) ? EXIT_OK :
			invalid(NULL, "name=%s: must be 1 to 31 of A-Z a-z 0-9 . _ -",
				value ? value : "");
	if (!strcmp(key, "uuid"))
		return value && !parse_uuid(value, add->uuid) ? EXIT_OK :
			invalid(NULL, "uuid=%s: must be 8-4-4-4-12 hexadecimal digits",
				value ? value : "");
	if (!strcmp(key, "owner")) {
		add->flags |= ABUSE_ADD_OWNER;
		return value && !parse_user(value, &add->owner) ? EXIT_OK :
			invalid(NULL, "owner=%s: must be a uid or the name of a user",
				value ? value : "");
	}
	return misused("%s: no such key", key);
}

static int run(int argc, char **argv)
{
	struct abuse_add add = { .number = ABUSE_NUMBER_ANY };
	char *list, *key, *value;
	uint64_t number;
	int i = 1, ret;

	if (i < argc && isdigit((unsigned char)*argv[i])) {
		if (parse_number(argv[i], &number) || number > ABUSE_MAX_NUMBER)
			return invalid(NULL, "%s: a device's number is from 0 to %u",
				       argv[i], ABUSE_MAX_NUMBER);
		add.number = (uint32_t)number;
		i++;
	}
	for (; i < argc; i++)
		for (list = argv[i]; parse_pair(&list, &key, &value); ) {
			ret = parse_key(&add, key, value);
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
	size_t i;

	puts("N is the number to take, any free one by default. Prints the path of the disk.\n"
	     "\n"
	     "Keys, separated by commas:");
	for (i = 0; i < NR_KEYS; i++)
		printf("  %s=%-*s %s\n", keys[i].name,
		       13 - (int)strlen(keys[i].name), keys[i].value, keys[i].help);
}

static void complete(int argc, char **argv)
{
	char key[16];
	size_t i;

	for (i = 0; i < NR_KEYS; i++) {
		snprintf(key, sizeof(key), "%s=", keys[i].name);
		complete_item(argv[argc - 1], key, keys[i].help);
	}
}

const struct cmd cmd_add = {
	.name = "add",
	.run = run,
	.args = "[N] [KEY=VALUE,...]",
	.summary = "make a device",
	.details = details,
	.complete = complete,
};
