// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (C) 2026 the abuse authors
#include "namespace.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATIENCE	5		/* seconds */

struct places {
	char **paths;
	size_t nr;
};

/* A blank is written as \040 there. */
static void unescape(char *text)
{
	char *to = text;
	unsigned int byte;

	for (; *text; text++) {
		if (*text == '\\' && sscanf(text + 1, "%3o", &byte) == 1) {
			*to++ = (char)byte;
			text += 3;
		} else {
			*to++ = *text;
		}
	}
	*to = '\0';
}

static void append(struct places *places, const char *path)
{
	char **paths = reallocarray(places->paths, places->nr + 1, sizeof(*paths));

	if (!paths)
		return;
	places->paths = paths;
	paths[places->nr] = strdup(path);
	places->nr += !!paths[places->nr];
}

/* Where this process has block devices mounted, the first mount first. */
static struct places find_places(void)
{
	FILE *mounts = fopen("/proc/self/mounts", "re");
	struct places places = { 0 };
	char *line = NULL, *path;
	size_t room = 0;

	while (mounts && getline(&line, &room, mounts) >= 0) {
		path = strchr(line, ' ');
		if (strncmp(line, "/dev/", 5) || !path)
			continue;
		path++;
		path[strcspn(path, " ")] = '\0';
		unescape(path);
		if (strcmp(path, "/") && strcmp(path, "/usr"))
			append(&places, path);
	}
	free(line);
	if (mounts)
		fclose(mounts);
	return places;
}

static bool is_own(int namespace)
{
	struct stat own, other;

	return stat("/proc/self/ns/mnt", &own) || fstat(namespace, &other) ||
	       (own.st_dev == other.st_dev && own.st_ino == other.st_ino);
}

int namespace_open(int pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/ns/mnt", pid);
	return open(path, O_RDONLY | O_CLOEXEC);
}

void namespace_clear(int namespace)
{
	struct places places;
	pid_t child;

	child = is_own(namespace) ? -1 : fork();
	if (!child) {
		places = find_places();
		/* A user's FUSE may never answer; and nothing may be unmounted in a namespace that shares its mounts. */
		alarm(PATIENCE);
		if (!setns(namespace, CLONE_NEWNS) &&
		    !mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL))
			while (places.nr--)
				umount2(places.paths[places.nr], MNT_DETACH | UMOUNT_NOFOLLOW);
		_exit(0);
	}
	while (child > 0 && waitpid(child, NULL, 0) < 0 && errno == EINTR)
		;
}
