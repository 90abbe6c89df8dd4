// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * DEV as users write it: opened, named in messages, and what errors of an open
 * device mean. The verbs come here with every device they are given.
 */
#include "cmd.h"

#include <errno.h>
#include <libabuse.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

const char *device_name(unsigned int number)
{
	static char name[32];

	snprintf(name, sizeof(name), "abuse%u", number);
	return name;
}

int device_missing(const char *text, int err)
{
	switch (err) {
	case ENODEV:
	case ENOENT:
	case ENXIO:
		if (!abuse_dev_is_loaded())
			return failed(text, "the module abuse is not loaded; "
				      "'modprobe abuse' loads it");
		return failed(text, "no such device; 'abusectl list' shows what "
			      "there is, 'abusectl add' makes one");
	case EINVAL:
		return failed(text, "neither a disk /dev/abuseN nor a control "
			      "node /dev/abctlN; give its number or one of these");
	case EACCES:
	case EPERM:
		return failed(text, "%s; be root, in the group abuse, or the user "
			      "who added it", strerror(err));
	}
	return failed(text, "%s", strerror(err));
}

int device_open(const char *text, unsigned int *number)
{
	struct abuse_info info;
	int fd, ret;

	fd = abuse_dev_open(text);
	if (fd < 0) {
		device_missing(text, -fd);
		return -1;
	}
	ret = abuse_ctl_get_status(fd, &info);
	if (ret < 0) {
		if (ret == -EPERM)
			failed(text, "sealed; only root and the uid named at "
			       "set-up may use it");
		else
			device_missing(text, -ret);
		close(fd);
		return -1;
	}
	*number = info.ab_number;
	return fd;
}

int device_failed(unsigned int number, const char *operation, int err)
{
	const char *name = device_name(number);

	switch (err) {
	case ENODEV:
		return failed(name, "cannot %s: the device was removed", operation);
	case ENXIO:
		return failed(name, "cannot %s: the device is not set up; "
			      "'abusectl setup %u' does that", operation, number);
	case EPERM:
		return failed(name, "cannot %s: the device is sealed; only root "
			      "and the uid named at set-up may use it", operation);
	}
	return failed(name, "cannot %s: %s", operation, strerror(err));
}
