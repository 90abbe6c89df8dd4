/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * abusectl resize rounds nothing: a size that is no multiple of the block size of the device is a wrong value, exit
 * status 2, and changes nothing; any other is passed on as it is, with the flags that the device has.
 * cflags: -luuid
 */
#include "said.h"

#include "../../utils/abusectl/parse.c"
#include "../../utils/abusectl/commands/resize.c"

static struct abuse_params has, wanted;
static unsigned int changes;

int invalid(const char *subject, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsay(subject, format, args);
	va_end(args);
	return EXIT_USAGE;
}

int misused(const char *format, ...)
{
	(void)format;
	return EXIT_USAGE;
}

int option_next(const struct cmd *cmd, int argc, char **argv, const char **value)
{
	(void)cmd;
	(void)argc;
	(void)argv;
	(void)value;
	return optind = 1, 0;
}

void complete_device(int argc, char **argv)
{
	(void)argc;
	(void)argv;
}

const char *device_name(unsigned int number)
{
	return number == 7 ? "abuse7" : "?";
}

int device_open(const char *text, unsigned int *number)
{
	*number = 7;
	return strcmp(text, "7") ? -1 : dup(0);
}

static unsigned int locked;

/* A server that starts has it, too. */
int device_lock(unsigned int number, int fd)
{
	(void)number;
	(void)fd;
	locked++;
	return EXIT_OK;
}

int device_failed(unsigned int number, const char *operation, int err)
{
	return failed(device_name(number), "cannot %s: %d", operation, err);
}

unsigned int device_servers(unsigned int number, int *pids, unsigned int max)
{
	(void)number;
	(void)pids;
	(void)max;
	return 0;
}

bool label_find_open(const char *label, int pid, char path[PATH_MAX])
{
	(void)label;
	(void)pid;
	(void)path;
	return false;
}

bool use_is_claimed(unsigned int number, char text[USE_TEXT])
{
	(void)number;
	(void)text;
	return false;
}

int abuse_ctl_get_params_sized(int fd, struct abuse_params *params, size_t size)
{
	(void)fd;
	memcpy(params, &has, size);
	return 0;
}

int abuse_ctl_set_params_sized(int fd, struct abuse_params *params, size_t size)
{
	(void)fd;
	memcpy(&wanted, params, size);
	changes++;
	return 0;
}

static int resize_to(const char *size)
{
	char *words[] = { (char *)"resize", (char *)"7", (char *)size, NULL };

	return cmd_resize.run(3, words);
}

static void refuses(const char *size, const char *why)
{
	*said = '\0';
	is(resize_to(size), EXIT_USAGE, size);
	ok(strstr(said, why), "%s: '%s' has '%s'", size, said, why);
	is(changes, 0, "nothing changes");
}

int main(void)
{
	has = (struct abuse_params) {
		.state = ABUSE_S_UP, .capacity = 1 << 20, .logical_block_size = 4096, .flags = ABUSE_PARAMS_READ_ONLY,
	};
	refuses("1000", "abuse7: size=1000: must be a multiple of its block size, 4096");
	refuses("4608", "abuse7: size=4608: must be a multiple of its block size, 4096");
	refuses("0", "abuse7: size=0: must be a multiple of its block size, 4096");
	refuses("1Q", "7: 1Q: SIZE is a number of bytes");
	is(resize_to("8K"), EXIT_OK, "8K");
	is(changes, 1, "one change");
	is(locked, changes + 3, "under the lock of the node, as three refused ones");
	is(wanted.capacity, 8192, "of the capacity, as it was given");
	is(wanted.flags, ABUSE_PARAMS_READ_ONLY, "the flags stay");
	has.state = ABUSE_S_EMPTY;
	is(resize_to("8K"), EXIT_FAILED, "an unconfigured device is a failure");
	is(changes, 1, "and does not change");
	return done();
}
