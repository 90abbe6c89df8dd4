// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (C) 2026 the abuse authors
/*
 * Attributes of a device in sysfs that the library's view lacks. Opens no node and needs
 * no permission.
 */
#include "cmd.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int kept = AT_FDCWD;

static const char *sysfs_dir(void)
{
	return getenv("ABUSE_SYSFS") ?: "/sys/class/abuse";
}

void device_keep_sysfs(void)
{
	kept = open(sysfs_dir(), O_PATH | O_DIRECTORY | O_CLOEXEC);
}

void device_text(unsigned int number, const char *name, char *text, size_t size)
{
	char path[256];
	ssize_t len = -1;
	int fd;

	if (kept >= 0)
		snprintf(path, sizeof(path), "abctl%u/%s", number, name);
	else
		snprintf(path, sizeof(path), "%s/abctl%u/%s", sysfs_dir(), number, name);
	fd = openat(kept, path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		len = read(fd, text, size - 1);
		close(fd);
	}
	text[len < 0 ? 0 : len] = '\0';
}

void device_attribute(unsigned int number, const char *name, char *text, size_t size)
{
	device_text(number, name, text, size);
	text[strcspn(text, "\n")] = '\0';
}

/* "COUNT PID PID..", without the pids of other pid namespaces */
unsigned int device_servers(unsigned int number, int *pids, unsigned int max)
{
	char text[DEVICE_TEXT], *at = text, *end;
	unsigned int nr = 0;
	long pid;

	device_attribute(number, "servers", text, sizeof(text));
	strtol(at, &at, 10);
	while (nr < max && (pid = strtol(at, &end, 10)) > 0 && end != at) {
		pids[nr++] = (int)pid;
		at = end;
	}
	return nr;
}
