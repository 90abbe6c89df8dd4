// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (C) 2026 the abuse authors
/*
 * A process that is no child of this one; see process.h. Its descriptor is a pidfd. The kernel of
 * Enterprise Linux 8 has no pidfd_open(), but pidfd_send_signal(), which takes the directory of a
 * process in /proc as well. Such a directory cannot be polled, so its state is read now and then.
 */
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* C libraries older than the call lack its number. */
#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal	424
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open		434
#endif

#define LOOK_MS		20	/* between two looks at a directory */

int process_open(int pid)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	char path[32];

	if (fd >= 0 || errno != ENOSYS)
		return fd;
	snprintf(path, sizeof(path), "/proc/%d", pid);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		errno = ESRCH;
	return fd;
}

int process_signal(int fd, int sig)
{
	return (int)syscall(SYS_pidfd_send_signal, fd, sig, NULL, 0);
}

static bool is_directory(int fd)
{
	struct stat st;

	return !fstat(fd, &st) && S_ISDIR(st.st_mode);
}

/* proc_pid_stat(5): state and number of threads. The first thread of a process may end before the others. */
static bool has_ended(int fd)
{
	int file = openat(fd, "stat", O_RDONLY | O_CLOEXEC), threads = 0;
	char text[256], state = 0, *name_end;
	ssize_t nr = file < 0 ? -1 : read(file, text, sizeof(text) - 1);

	if (file >= 0)
		close(file);
	if (nr <= 0)
		return true;
	text[nr] = '\0';
	name_end = strrchr(text, ')');
	if (!name_end || sscanf(name_end, ") %c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s "
				"%*s %*s %*s %d", &state, &threads) != 2)
		return false;
	return state == 'X' || (state == 'Z' && threads <= 1);
}

static bool await_end_of_directory(int fd, int milliseconds)
{
	static const struct timespec nap = { .tv_nsec = LOOK_MS * 1000000 };
	bool is_over;

	while (!(is_over = has_ended(fd)) && milliseconds) {
		nanosleep(&nap, NULL);
		if (milliseconds > 0)
			milliseconds -= milliseconds < LOOK_MS ? milliseconds : LOOK_MS;
	}
	return is_over;
}

bool process_await_end(int fd, int milliseconds)
{
	struct pollfd end = { .fd = fd, .events = POLLIN };
	int ret;

	if (is_directory(fd))
		return await_end_of_directory(fd, milliseconds);
	while ((ret = poll(&end, 1, milliseconds)) < 0 && errno == EINTR)
		;
	return ret > 0;
}
