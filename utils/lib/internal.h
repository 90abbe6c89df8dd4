/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The library's private map: what its files share and programs must not see.
 */
#ifndef ABUSE_INTERNAL_H
#define ABUSE_INTERNAL_H

#include "libabuse.h"

#include <errno.h>
#include <sys/ioctl.h>

#define CONTROL_NODE	"/dev/abuse-control"
#define SYSFS_CLASS	"/sys/class/abuse"

/* ABUSE_SYSFS names another class directory: tests make one up. */
#define SYSFS_ENV	"ABUSE_SYSFS"

/* ioctl(2) with the library's way of returning errors. */
static inline int abuse_ioctl(int fd, unsigned long cmd, const void *arg)
{
	int ret = ioctl(fd, cmd, arg);

	return ret < 0 ? -errno : ret;
}

#endif /* ABUSE_INTERNAL_H */
