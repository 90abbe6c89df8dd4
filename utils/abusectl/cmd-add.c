// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * abusectl add: make a device and print the path of its disk.
 */
#include "cmd.h"
#include "parse.h"

#include <ctype.h>
#include <errno.h>
#include <libabuse.h>
#include <stdio.h>
#include <string.h>

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
	return misused("%s: no such key; there are name= uuid= hw_queues= depth= "
		       "owner=", key);
}

static int add_failed(const struct abuse_add *add, int err)
{
	const char *subject = add->number == ABUSE_NUMBER_ANY ?
		"new device" : device_name(add->number);

	switch (err) {
	case EEXIST:
		return failed(subject, *add->name ?
			      "the number or the name %s is taken; 'abusectl list' "
			      "shows by whom" : "exists already", add->name);
	case ENOENT:
		return failed(subject, "/dev/abuse-control is missing: the module "
			      "abuse is not loaded; 'modprobe abuse' loads it");
	case EACCES:
		return failed(subject, "may not open /dev/abuse-control: be root "
			      "or in the group abuse");
	case EPERM:
		return failed(subject, "only root may say owner=");
	case EDQUOT:
		return failed(subject, "this user's share of devices or requests is "
			      "used up; remove one, take a smaller depth=, or raise "
			      "user_devices or user_depth of the module");
	case ENOSPC:
		return failed(subject, "max_abuse devices are there already, or no "
			      "number is left; remove one or raise max_abuse");
	case EINVAL:
		return failed(subject, "the module refuses these values: number up "
			      "to its limit, hw_queues=1..64, depth=1..1024");
	}
	return failed(subject, "cannot be added: %s", strerror(err));
}

static int run(int argc, char **argv)
{
	struct abuse_add add = { .number = ABUSE_NUMBER_ANY };
	char *keys, *key, *value;
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
		for (keys = argv[i]; parse_pair(&keys, &key, &value); ) {
			ret = parse_key(&add, key, value);
			if (ret)
				return ret;
		}
	ret = abuse_ctl_add(&add);
	if (ret < 0)
		return add_failed(&add, -ret);
	printf("/dev/abuse%u\n", add.number);
	return EXIT_OK;
}

static void details(void)
{
	puts("N is the number to take, any free one by default. Prints the path of the disk.\n"
	     "\n"
	     "Keys, separated by commas:\n"
	     "  name=NAME      1 to 31 of A-Z a-z 0-9 . _ -; unique (default: none)\n"
	     "  uuid=UUID      unique (default: none)\n"
	     "  hw_queues=N    hardware queues, 1 to 64 (default 1)\n"
	     "  depth=N        requests per hardware queue, 1 to 1024 (default 512)\n"
	     "  owner=USER     uid or name; for root only (default: an ordinary user\n"
	     "                 owns what he adds, root's belong to the group abuse)");
}

const struct cmd cmd_add = {
	.name = "add",
	.run = run,
	.args = "[N] [KEY=VALUE,...]",
	.summary = "make a device",
	.details = details,
};
