// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the abuse authors
/*
 * Finding devices and their nodes: what is there and how it fares comes from
 * sysfs, so that looking opens nothing and needs no permission. Opening a
 * control node is the last step. Knows no control command.
 */
#include "internal.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static const char *sysfs_class(void)
{
	const char *dir = getenv(SYSFS_ENV);

	return dir ? dir : SYSFS_CLASS;
}

bool abuse_dev_is_loaded(void)
{
	return access(sysfs_class(), F_OK) == 0;
}

/* Attribute @file (relative to the class directory) without its newline. */
static void attr_text(const char *file, char *text, size_t size)
{
	char path[256];
	ssize_t len = -1;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", sysfs_class(), file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		len = read(fd, text, size - 1);
		close(fd);
	}
	text[len < 0 ? 0 : len] = '\0';
	text[strcspn(text, "\n")] = '\0';
}

static uint64_t attr_number(const char *file)
{
	char text[32];

	attr_text(file, text, sizeof(text));
	return strtoull(text, NULL, 10);
}

int abuse_dev_stat(unsigned int number, struct abuse_dev *dev)
{
	char file[128], text[32];

	memset(dev, 0, sizeof(*dev));
	dev->number = number;

#define ATTR(name) \
	(snprintf(file, sizeof(file), "abctl%u/%s", number, name), file)
#define DISK_ATTR(name) \
	(snprintf(file, sizeof(file), "abctl%u/abuse%u/%s", \
		  number, number, name), file)
	attr_text(ATTR("state"), dev->state, sizeof(dev->state));
	if (!*dev->state)
		return -ENODEV;
	attr_text(ATTR("name"), dev->name, sizeof(dev->name));
	attr_text(ATTR("uuid"), dev->uuid, sizeof(dev->uuid));
	if (!strpbrk(dev->uuid, "123456789abcdefABCDEF"))
		*dev->uuid = '\0';	/* all 0: it has none */
	dev->owner = attr_number(ATTR("owner"));
	dev->trusted = attr_number(ATTR("trusted"));
	dev->admitted = attr_number(ATTR("admitted"));
	dev->ready = attr_number(ATTR("ready"));
	attr_text(ATTR("servers"), text, sizeof(text));
	dev->servers = strtoull(text, NULL, 10);
	/* A module of before has no such attribute. */
	if (*text && !dev->servers)
		dev->ready = 0;
	dev->read_only = attr_number(ATTR("read_only"));
	dev->queue_limit = attr_number(ATTR("queue_limit"));
	dev->hw_queues = attr_number(ATTR("hw_queues"));
	dev->depth = attr_number(ATTR("depth"));
	dev->queued = attr_number(ATTR("queued"));
	dev->held = attr_number(ATTR("held"));
	dev->served = attr_number(ATTR("served"));
	dev->errors = attr_number(ATTR("errors"));
	dev->returned = attr_number(ATTR("returned"));
	dev->oldest_ms = attr_number(ATTR("oldest_ms"));
	dev->size = attr_number(DISK_ATTR("size")) * 512;
	dev->block_size = attr_number(DISK_ATTR("queue/logical_block_size"));
#undef ATTR
#undef DISK_ATTR
	return 0;
}

int abuse_dev_admit(unsigned int number, bool admit)
{
	char path[256];
	int fd, ret = 0;

	snprintf(path, sizeof(path), "%s/abctl%u/admitted", sysfs_class(), number);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0) {
		ret = -errno;
		if (ret != -ENOENT)
			return ret;
		*strrchr(path, '/') = '\0';
		return access(path, F_OK) ? -ENODEV : -EOPNOTSUPP;
	}
	if (write(fd, admit ? "1\n" : "0\n", 2) < 0)
		ret = -errno;
	close(fd);
	return ret;
}

/* The N of "<prefix>N", or -1. */
static int number_after(const char *text, const char *prefix)
{
	size_t len = strlen(prefix);
	unsigned long number;
	char *end;

	if (strncmp(text, prefix, len) || !isdigit((unsigned char)text[len]))
		return -1;
	errno = 0;
	number = strtoul(text + len, &end, 10);
	return errno || *end || number > ABUSE_MAX_NUMBER ? -1 : (int)number;
}

static int is_device(const struct dirent *entry)
{
	return number_after(entry->d_name, "abctl") >= 0;
}

int abuse_dev_each(int (*fn)(const struct abuse_dev *dev, void *arg), void *arg)
{
	struct dirent **entries;
	struct abuse_dev dev;
	int i, nr, ret = 0;

	nr = scandir(sysfs_class(), &entries, is_device, versionsort);
	if (nr < 0)
		return errno == ENOENT ? -ENODEV : -errno;
	for (i = 0; i < nr; i++) {
		/* One that is gone by now is no error. */
		if (!ret && !abuse_dev_stat((unsigned int)number_after(
					entries[i]->d_name, "abctl"), &dev))
			ret = fn(&dev, arg);
		free(entries[i]);
	}
	free(entries);
	return ret;
}

struct wanted {
	const char *name;
	int number;
};

static int match_name(const struct abuse_dev *dev, void *arg)
{
	struct wanted *wanted = arg;

	if (strcmp(dev->name, wanted->name))
		return 0;
	wanted->number = (int)dev->number;
	return 1;
}

/* The number of the node @st, whatever the node is called. */
static int number_of_node(const struct stat *st)
{
	char path[64], link[256];
	const char *base;
	ssize_t len;
	int number;

	if (!S_ISBLK(st->st_mode) && !S_ISCHR(st->st_mode))
		return -EINVAL;
	snprintf(path, sizeof(path), "/sys/dev/%s/%u:%u",
		 S_ISBLK(st->st_mode) ? "block" : "char",
		 major(st->st_rdev), minor(st->st_rdev));
	len = readlink(path, link, sizeof(link) - 1);
	if (len < 0)
		return -ENODEV;
	link[len] = '\0';
	base = strrchr(link, '/');
	base = base ? base + 1 : link;
	number = number_after(base, S_ISBLK(st->st_mode) ? "abuse" : "abctl");
	return number < 0 ? -EINVAL : number;
}

int abuse_dev_find(const char *text)
{
	struct wanted wanted = { .name = text, .number = -ENODEV };
	struct stat st;
	int number;

	if (strchr(text, '/')) {
		const char *base = strrchr(text, '/') + 1;

		number = stat(text, &st) ? -ENODEV : number_of_node(&st);
		/* A node made by hand, or one that is not there yet. */
		if (number == -ENODEV)
			number = number_after(base, "abctl");
		if (number == -1)
			number = number_after(base, "abuse");
		return number == -1 ? -ENODEV : number;
	}
	if ((number = number_after(text, "")) >= 0 ||
	    (number = number_after(text, "abctl")) >= 0 ||
	    (number = number_after(text, "abuse")) >= 0)
		return number;
	if (*text)
		abuse_dev_each(match_name, &wanted);
	return wanted.number;
}

int abuse_dev_open(const char *text)
{
	char path[32];
	struct stat st;
	int fd, number;

	/*
	 * A control node is opened under the name given: one made by hand for
	 * a number that does not exist yet makes the device.
	 */
	if (strchr(text, '/') && !stat(text, &st) && S_ISCHR(st.st_mode)) {
		number = number_of_node(&st);
		if (number == -EINVAL)
			return number;
		fd = open(text, O_RDONLY | O_CLOEXEC);
		return fd < 0 ? -errno : fd;
	}
	number = abuse_dev_find(text);
	if (number < 0)
		return number;
	snprintf(path, sizeof(path), "/dev/abctl%d", number);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}
