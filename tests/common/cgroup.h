/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * A memory cgroup of the test, to see what is charged to its processes.
 */
#ifndef TEST_CGROUP_H
#define TEST_CGROUP_H

#include "abuse.h"

#define CGROUPS		"/sys/fs/cgroup"
#define CGROUP		CGROUPS "/abuse-test"

static inline void cgroup_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	need(fd >= 0 && write(fd, text, strlen(text)) > 0, "'%s' in %s", text, path);
	close(fd);
}

static inline void cgroup_remove(void)
{
	if (getpid() == test_main_pid)
		wait_for_within(10, !rmdir(CGROUP) || errno == ENOENT);
}

/* Skips the test where there is none. */
static inline void cgroup_new(void)
{
	if (shell("grep -qw memory " CGROUPS "/cgroup.controllers 2>/dev/null"))
		skip("no cgroup2 with the memory controller here");
	cgroup_write(CGROUPS "/cgroup.subtree_control", "+memory");
	need(!mkdir(CGROUP, 0755) || errno == EEXIST, "a cgroup");
	atexit(cgroup_remove);
}

/* This process, and its children from now on. */
static inline void cgroup_join(void)
{
	cgroup_write(CGROUP "/cgroup.procs", "0");
}

#endif /* TEST_CGROUP_H */
