// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (C) 2026 the abuse authors
/*
 * The users of a disk: mounts, swap and other disks that claim it, and processes that have
 * it open, as far as this user may see them. Opens no node, so it cannot hang.
 */
#include "cmd.h"
#include "use.h"

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Is @name that of the disk or of one of its partitions? */
static bool is_ours(const char *name, unsigned int number)
{
	char disk[16];
	size_t len = (size_t)snprintf(disk, sizeof(disk), "abuse%u", number);

	return !strncmp(name, disk, len) && (!name[len] || name[len] == 'p');
}

/* The same for a number; sysfs knows names of all. */
static bool is_ours_by_number(unsigned int major, unsigned int minor, unsigned int number)
{
	char path[64], link[256];
	const char *base;
	ssize_t len;

	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u", major, minor);
	len = readlink(path, link, sizeof(link) - 1);
	if (len < 0)
		return false;
	link[len] = '\0';
	base = strrchr(link, '/');
	return is_ours(base ? base + 1 : link, number);
}

static bool find_mount(const char *file, unsigned int number, char *text, size_t size)
{
	unsigned int major, minor;
	char *line = NULL, where[512];
	size_t room = 0;
	FILE *mounts = fopen(file, "re");
	bool found = false;

	while (mounts && !found && getline(&line, &room, mounts) >= 0)
		found = sscanf(line, "%*d %*d %u:%u %*s %511s", &major, &minor, where) == 3 &&
			is_ours_by_number(major, minor, number);
	if (found)
		snprintf(text, size, "mounted on %.200s", where);
	free(line);
	if (mounts)
		fclose(mounts);
	return found;
}

static bool find_swap(unsigned int number, char *text, size_t size)
{
	char *line = NULL, path[512];
	size_t room = 0;
	FILE *swaps = fopen("/proc/swaps", "re");
	bool found = false;

	while (swaps && !found && getline(&line, &room, swaps) >= 0)
		found = sscanf(line, "/dev/%511s", path) == 1 && is_ours(path, number);
	if (found)
		snprintf(text, size, "swap space, /dev/%.64s", path);
	free(line);
	if (swaps)
		fclose(swaps);
	return found;
}

/* Another disk, such as one of md or dm, below @dir/holders */
static bool find_holder(const char *dir, char *text, size_t size)
{
	const struct dirent *entry;
	char path[300];
	bool found = false;
	DIR *holders;

	snprintf(path, sizeof(path), "%s/holders", dir);
	holders = opendir(path);
	while (holders && !found && (entry = readdir(holders)))
		if (*entry->d_name != '.') {
			snprintf(text, size, "part of /dev/%.64s", entry->d_name);
			found = true;
		}
	if (holders)
		closedir(holders);
	return found;
}

static bool find_holders(unsigned int number, char *text, size_t size)
{
	char path[300], disk[64];
	const struct dirent *entry;
	bool found;
	DIR *dir;

	snprintf(disk, sizeof(disk), "/sys/block/abuse%u", number);
	found = find_holder(disk, text, size);
	dir = found ? NULL : opendir(disk);
	while (dir && !found && (entry = readdir(dir)))
		if (is_ours(entry->d_name, number)) {
			snprintf(path, sizeof(path), "%s/%.128s", disk, entry->d_name);
			found = find_holder(path, text, size);
		}
	if (dir)
		closedir(dir);
	return found;
}

/* A loop device of the disk claims it only while it is made. */
static bool find_loop(unsigned int number, char *text, size_t size)
{
	char path[300], file[64];
	const struct dirent *entry;
	bool found = false;
	DIR *block = opendir("/sys/block");
	FILE *backing;

	while (block && !found && (entry = readdir(block))) {
		if (strncmp(entry->d_name, "loop", 4))
			continue;
		snprintf(path, sizeof(path), "/sys/block/%.64s/loop/backing_file", entry->d_name);
		backing = fopen(path, "re");
		if (!backing)
			continue;
		found = fscanf(backing, "/dev/%63s", file) == 1 && is_ours(file, number);
		if (found)
			snprintf(text, size, "the backing file of /dev/%.64s", entry->d_name);
		fclose(backing);
	}
	if (block)
		closedir(block);
	return found;
}

/* In another mount namespace, by a file system without the disk's number, or unmounted but not written back */
static bool find_claim(unsigned int number, char *text, size_t size)
{
	char claimed[8];

	device_attribute(number, "claimed", claimed, sizeof(claimed));
	if (*claimed != '1')
		return false;
	snprintf(text, size, "mounted elsewhere, or claimed otherwise");
	return true;
}

bool use_is_claimed(unsigned int number, char text[USE_TEXT])
{
	return find_mount("/proc/self/mountinfo", number, text, USE_TEXT) ||
	       find_mount("/proc/1/mountinfo", number, text, USE_TEXT) ||
	       find_swap(number, text, USE_TEXT) || find_holders(number, text, USE_TEXT) ||
	       find_loop(number, text, USE_TEXT) || find_claim(number, text, USE_TEXT);
}

static bool has_open(const char *pid, unsigned int number)
{
	char path[64], link[64];
	const struct dirent *entry;
	bool found = false;
	ssize_t len;
	DIR *fds;

	snprintf(path, sizeof(path), "/proc/%.16s/fd", pid);
	fds = opendir(path);
	while (fds && !found && (entry = readdir(fds))) {
		len = readlinkat(dirfd(fds), entry->d_name, link, sizeof(link) - 1);
		if (len < 0)
			continue;
		link[len] = '\0';
		found = !strncmp(link, "/dev/", 5) && is_ours(link + 5, number);
	}
	if (fds)
		closedir(fds);
	return found;
}

static void name_process(const char *pid, char *text, size_t size)
{
	char path[64], name[32] = "?";
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%.16s/comm", pid);
	file = fopen(path, "re");
	if (file) {
		if (!fgets(name, sizeof(name), file))
			strcpy(name, "?");
		fclose(file);
	}
	name[strcspn(name, "\n")] = '\0';
	snprintf(text, size, "%s (pid %.16s)", name, pid);
}

bool use_is_open(unsigned int number, char text[USE_TEXT])
{
	const struct dirent *entry;
	DIR *proc = opendir("/proc");
	bool found = false;

	while (proc && !found && (entry = readdir(proc))) {
		if (!isdigit((unsigned char)*entry->d_name) || !has_open(entry->d_name, number))
			continue;
		name_process(entry->d_name, text, USE_TEXT);
		found = !strstr(text, "udev");
	}
	if (proc)
		closedir(proc);
	return found;
}

bool use_is_busy(unsigned int number)
{
	char use[USE_TEXT], openers[16];

	device_attribute(number, "openers", openers, sizeof(openers));
	return strtoul(openers, NULL, 10) || use_is_claimed(number, use);
}
