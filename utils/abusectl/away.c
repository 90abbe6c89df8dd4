// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (C) 2026 the abuse authors
/*
 * The end of devices and of their servers; see away.h.
 */
#include "away.h"
#include "backends/backend.h"
#include "cmd.h"
#include "process.h"
#include "use.h"

#include <errno.h>
#include <libabuse.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LOOK_MS		100
#define LOOKS		50		/* udev, blkid and their like are done by then */

static int in_use(unsigned int number)
{
	char use[USE_TEXT];

	if (use_is_claimed(number, use))
		return failed(device_name(number), "is in use: %s; end that first", use);
	if (use_is_open(number, use))
		return failed(device_name(number), "its disk is open in %s; end that first", use);
	return failed(device_name(number), "its disk is open in a process that this user may not "
		      "see, or in another mount or pid namespace; root can see it");
}

static int remove_failed(const char *text, unsigned int number, int err)
{
	switch (err) {
	case EBUSY:
		return in_use(number);
	case EACCES:
		return failed(text, "may not open /dev/abuse-control: be root or in "
			      "the group abuse");
	case EPERM:
		return failed(text, "only root and the user who added it may remove it; "
			      "'abusectl reset %u' ends its disk, and leaves the device", number);
	}
	return device_missing(text, err);
}

int device_remove_patiently(unsigned int number)
{
	static const struct timespec nap = { .tv_nsec = LOOK_MS * 1000000 };
	char use[USE_TEXT];
	int i, ret;

	for (i = 0; ; i++) {
		ret = abuse_ctl_remove(number);
		if (ret != -EBUSY || i == LOOKS || use_is_claimed(number, use) ||
		    use_is_open(number, use))
			return ret;
		nanosleep(&nap, NULL);
	}
}

static int remove_with_memory(unsigned int number)
{
	struct mem_object memory;
	int ret;

	mem_find(number, &memory);
	ret = device_remove_patiently(number);
	mem_free(&memory, ret >= 0);
	return ret;
}

int device_remove(const char *text, bool is_dry)
{
	char use[USE_TEXT];
	unsigned int number;
	struct abuse_dev dev;
	int ret = abuse_dev_find(text);

	number = ret < 0 ? 0 : (unsigned int)ret;
	if (ret >= 0)
		ret = is_dry ? abuse_dev_stat(number, &dev) : remove_with_memory(number);
	if (ret < 0)
		return remove_failed(text, number, -ret);
	if (!is_dry)
		return EXIT_OK;
	if (use_is_claimed(number, use) || use_is_open(number, use))
		return in_use(number);
	printf("would remove %s\n", device_name(number));
	return EXIT_OK;
}

bool device_is_server(unsigned int number, int pid)
{
	int pids[MOST_SERVERS];
	unsigned int i, nr = device_servers(number, pids, MOST_SERVERS);

	for (i = 0; i < nr; i++)
		if (pids[i] == pid)
			return true;
	return false;
}

/* A descriptor of @pid, which gets the signal if it serves still; or -1 after reporting, -2. */
static int tell(unsigned int number, int pid, int sig)
{
	int fd = process_open(pid), err = errno;

	if (!device_is_server(number, pid)) {	/* it ended, and the pid may be another's now */
		if (fd >= 0)
			close(fd);
		return -2;
	}
	if (fd < 0)
		return failed(device_name(number), "its server, pid %d, cannot be found: %s", pid,
			      strerror(err)), -1;
	if (!process_signal(fd, sig))
		return fd;
	err = errno;
	close(fd);
	if (err == ESRCH)
		return -2;
	return failed(device_name(number), "its server, pid %d, cannot be signalled: %s; ask its "
		      "user or root", pid, strerror(err)), -1;
}

static int await_end(unsigned int number, int pid, int fd, const struct stopping *how)
{
	bool is_over = how->only_tells || process_await_end(fd, how->milliseconds);

	close(fd);
	if (is_over)
		return EXIT_OK;
	return failed(device_name(number), "its server, pid %d, was told to end %d s ago and "
		      "still completes requests; wait, or 'kill -9 %d': nothing is lost",
		      pid, how->milliseconds / 1000, pid);
}

int device_stop(unsigned int number, const struct stopping *how)
{
	int pids[MOST_SERVERS], fds[MOST_SERVERS], status = EXIT_OK;
	unsigned int i, nr = device_servers(number, pids, MOST_SERVERS);

	if (!nr)
		return note(device_name(number), "has no server that this process can see");
	for (i = 0; i < nr; i++) {
		fds[i] = -2;
		if (pids[i] == how->spared)
			continue;
		if (how->is_dry)
			printf("would end the server of %s, pid %d\n", device_name(number),
			       pids[i]);
		else
			fds[i] = tell(number, pids[i], how->sig);
		if (fds[i] == -1)
			status = EXIT_FAILED;
	}
	for (i = 0; i < nr; i++)
		if (fds[i] >= 0 && await_end(number, pids[i], fds[i], how))
			status = EXIT_FAILED;
	return status;
}
