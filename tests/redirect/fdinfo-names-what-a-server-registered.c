/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * /proc/PID/fdinfo of a control descriptor names its device, says whether it serves, how
 * many requests it holds, and which files it registered, each with mode, flags and path.
 */
#include "redirect.h"

static struct device d;
static int ctl;

/* The text behind this key, the n-th time that it occurs; "" if it does not so often. */
static const char *field(const char *key, int n)
{
	static char line[4096];
	char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", ctl);
	file = fopen(path, "r");
	need(file, "to open %s", path);
	do
		if (!fgets(line, sizeof(line), file))
			line[0] = 0;
	while (line[0] && (strncmp(line, key, strlen(key)) || line[strlen(key)] != ':' || n--));
	fclose(file);
	line[strcspn(line, "\n")] = 0;
	return line[0] ? line + strlen(key) + 2 : "";
}

static bool says(const char *key, int n, const char *format, ...)
{
	char expected[256];
	const char *found = field(key, n);
	va_list args;

	va_start(args, format);
	vsnprintf(expected, sizeof(expected), format, args);
	va_end(args);
	if (strcmp(found, expected))
		printf("# %s is '%s', not '%s'\n", key, found, expected);
	return !strcmp(found, expected);
}

static int file_named(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC | O_CREAT, 0600), index;

	need(fd >= 0, "to open %s", path);
	index = file_register(ctl, fd);
	close(fd);
	return index;
}

static bool names(int n, int index, const char *mode, int flags, const char *path)
{
	unsigned int found_index, found_flags;
	char found_mode[8], found_path[256];
	const char *text = field("abuse-file", n);

	if (sscanf(text, "%u %7s %o %255s", &found_index, found_mode, &found_flags, found_path) == 4 &&
	    found_index == (unsigned int)index && !strcmp(found_mode, mode) &&
	    (found_flags & (O_ACCMODE | O_DIRECT)) == (unsigned int)flags && !strcmp(found_path, path))
		return true;
	printf("# abuse-file is '%s'\n", text);
	return false;
}

int main(void)
{
	struct abuse_request q;
	int first, second, disk;
	struct io *io;

	test_begin();
	d = device_new();
	set_up(&d, MIB, 0);
	ctl = server_open(&d);
	ok(says("abuse-device", 0, "%u", d.number), "the device");
	ok(says("abuse-state", 0, "unbound"), "no exchange yet");
	ok(says("abuse-held", 0, "0"), "nothing is held");
	ok(says("abuse-file", 0, ""), "nothing is registered");

	first = file_named("/var/tmp/abuse test", O_RDWR | O_DIRECT);
	second = file_named("/var/tmp/abuse-second", O_RDONLY);
	need(first >= 0 && second >= 0, "REGISTER_FILE");
	ok(names(0, first, "rw", O_RDWR | O_DIRECT, "/var/tmp/abuse\\040test"), "a file");
	ok(names(1, second, "r", O_RDONLY, "/var/tmp/abuse-second"), "one that is only read");
	unlink("/var/tmp/abuse test");
	unlink("/var/tmp/abuse-second");
	need(!file_unregister(ctl, first), "UNREGISTER_FILE");
	ok(names(0, second, "r", O_RDONLY, "/var/tmp/abuse-second\\040(deleted)"), "the one that is left, deleted");
	disk = file_named("/dev/loop0", O_WRONLY);
	ok(disk < 0 || names(0, disk, "w", O_WRONLY, "/dev/loop0"), "a disk that is only written to");
	need(disk < 0 || !file_unregister(ctl, disk), "UNREGISTER_FILE");

	io = io_read(&d, 0, 4096);
	q = fetch_one(ctl, NULL, 0);
	ok(says("abuse-state", 0, "bound"), "a server that serves");
	ok(says("abuse-held", 0, "1"), "and holds a request");
	need(!reply_with(ctl, q.id, 0, ABUSE_REPLY_ZERO, NULL), "a reply");
	is(io_end(io), 0, "the read");
	ok(says("abuse-held", 0, "0"), "then none");
	is(reset(ctl), 0, "RESET");
	ok(says("abuse-state", 0, "over"), "its configuration is over");
	return done();
}
