// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (C) 2026 the abuse authors
/*
 * DEV as users write it: opened, named in messages, and what errors of an open
 * device mean. The verbs come here with every device they are given.
 */
#include "cmd.h"
#include "parse.h"

#include <errno.h>
#include <libabuse.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#define LOCK_SECONDS		10
#define LOCK_TRIES_A_SECOND	50

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
			return failed(text, "%s", module_remedy());
		return failed(text, "no such device; 'abusectl list' shows what "
			      "there is, 'abusectl add' makes one");
	case EINVAL:
		return failed(text, "neither a disk /dev/abuseN nor a control "
			      "node /dev/abctlN; give its number or one of these");
	case EACCES:
		return failed(text, "%s; be root, in the group abuse, or the user "
			      "who added it", strerror(err));
	case EPERM:
		return failed(text, "sealed; only root and the user for whom it is sealed may "
			      "use it");
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
		device_missing(text, -ret);
		close(fd);
		return -1;
	}
	*number = info.ab_number;
	return fd;
}

struct identity {
	const char *name;
	const uint8_t *uuid;
	unsigned int self;
	unsigned int other;		/* the device that has the same identity */
	const char *key;
	char value[ABUSE_UUID_TEXT];
};

static int match_identity(const struct abuse_dev *dev, void *arg)
{
	struct identity *identity = arg;
	uint8_t uuid[16];

	if (dev->number == identity->self)
		return 0;
	if (*identity->name && !strcmp(dev->name, identity->name))
		identity->key = "name";
	else if (!parse_uuid(dev->uuid, uuid) &&
		 !memcmp(uuid, identity->uuid, sizeof(uuid)))
		identity->key = "uuid";
	else
		return 0;
	snprintf(identity->value, sizeof(identity->value), "%s",
		 *identity->key == 'n' ? dev->name : dev->uuid);
	identity->other = (unsigned int)dev->number;
	return 1;
}

int identity_taken(const char *subject, unsigned int number, const char *name,
		   const uint8_t uuid[16])
{
	struct identity identity = { .name = name, .uuid = uuid, .self = number };

	if (abuse_dev_each(match_identity, &identity) != 1)
		return failed(subject, "the name or the UUID is taken; 'abusectl list -o "
			      "device,name,uuid' shows by whom");
	return failed(subject, "%s=%s: abuse%u has it; take another, or 'abusectl remove %u' "
		      "first", identity.key, identity.value, identity.other, identity.other);
}

static int add_failed(const struct abuse_add *add, int err)
{
	bool any = add->number == ABUSE_NUMBER_ANY;
	const char *subject = any ? "new device" : device_name(add->number);
	struct abuse_dev dev;

	switch (err) {
	case EEXIST:
		if (!any && !abuse_dev_stat(add->number, &dev))
			return failed(subject, "the number is taken; leave it out for any "
				      "that is free");
		return identity_taken(subject, add->number, add->name, add->uuid);
	case ENOENT:
		return failed(subject, "/dev/abuse-control is missing: %s",
			      module_remedy());
	case EACCES:
		return failed(subject, "may not open /dev/abuse-control: be root "
			      "or in the group abuse");
	case EPERM:
		if (add->flags & ABUSE_ADD_OWNER)
			return failed(subject, "owner=%u: needs CAP_SYS_ADMIN, as root has "
				      "it outside containers", add->owner);
		return failed(subject, "uid 0 needs CAP_SYS_ADMIN to add one, and a "
			      "container the leave to open /dev/abuse-control");
	case EDQUOT:
		return failed(subject, "this user's share of devices or requests is "
			      "used up; remove one, take a smaller depth=, or raise "
			      "user_devices or user_depth of the module");
	case ENOSPC:
		return failed(subject, any ?
			      "max_abuse devices are there already, or no number is "
			      "left; remove one or raise max_abuse" :
			      "the module has no such number, for its max_abuse or "
			      "max_part; take a smaller one");
	case EINVAL:
		return failed(subject, "refused by the module, whose version differs from "
			      "this program's; load the module of the same version");
	}
	return failed(subject, "cannot be added: %s", strerror(err));
}

int device_add(struct abuse_add *add)
{
	int ret = abuse_ctl_add(add);

	return ret < 0 ? add_failed(add, -ret) : EXIT_OK;
}

int device_add_open(struct abuse_add *add)
{
	int fd = abuse_ctl_add_open(add, NULL), ret;
	unsigned int number;
	char text[16];

	snprintf(text, sizeof(text), "%u", add->number);
	if (fd >= 0) {
		/* The lock that servers take while they start is the node's, if there is one. */
		ret = abuse_dev_open(text);
		if (ret < 0)
			return fd;
		close(fd);
		return ret;
	}
	if (fd != -EOPNOTSUPP) {
		add_failed(add, -fd);
		return -1;
	}
	/* Enterprise Linux 8 */
	ret = abuse_ctl_add(add);
	if (ret < 0) {
		add_failed(add, -ret);
		return -1;
	}
	snprintf(text, sizeof(text), "%u", add->number);
	return device_open(text, &number);
}

struct called {
	const char *name;
	int number;
};

static int match_name(const struct abuse_dev *dev, void *arg)
{
	struct called *called = arg;

	if (strcmp(dev->name, called->name))
		return 0;
	called->number = (int)dev->number;
	return 1;
}

/* Not by abuse_dev_find(): a name may look like a number. Many devices have none. */
int device_find(int wanted, const char *name)
{
	struct called called = { name, -1 };
	struct abuse_dev dev;

	if (wanted >= 0)
		return abuse_dev_stat((unsigned int)wanted, &dev) ? -1 : wanted;
	if (*name)
		abuse_dev_each(match_name, &called);
	return called.number;
}

/* Another user may have taken the name or number first, and would get all data that is served there. */
bool device_is_foreign(unsigned int number)
{
	struct abuse_dev dev;

	if (abuse_dev_stat(number, &dev) || !dev.owner || dev.owner == geteuid())
		return false;
	failed(device_name(number), "belongs to uid %llu; say another name or device, "
	       "or 'abusectl remove %u'", (unsigned long long)dev.owner, number);
	return true;
}

int device_obtain(int wanted, const char *name, unsigned int *number, bool *was_added)
{
	struct abuse_add add = {
		.number = wanted < 0 ? ABUSE_NUMBER_ANY : (uint32_t)wanted,
	};
	int found = device_find(wanted, name), ret;
	char text[16];

	*was_added = false;
	if (found < 0) {
		snprintf(add.name, sizeof(add.name), "%s", name);
		ret = abuse_ctl_add(&add);
		found = (int)add.number;
		if (ret == -EEXIST) {	/* another was faster */
			found = device_find(wanted, name);
			ret = found < 0 ? ret : 0;
		} else {
			*was_added = ret >= 0;
		}
		if (ret < 0) {
			add_failed(&add, -ret);
			return -1;
		}
	}
	if (device_is_foreign((unsigned int)found))
		return -1;
	snprintf(text, sizeof(text), "%d", found);
	return device_open(text, number);
}

int device_open_own(const char *text, unsigned int *number)
{
	char name[ABUSE_NAME_LEN];
	int fd = device_open(text, number);

	if (fd < 0 || parse_name(text, name) || !device_is_foreign(*number))
		return fd;
	close(fd);
	return -1;
}

/* ---- the lock of a node: one server at a time sets its device up ---- */

static void name_holder(int fd, char *text, size_t size)
{
	FILE *locks = fopen("/proc/locks", "re");
	unsigned int major_nr, minor_nr;
	unsigned long long inode;
	char line[256];
	struct stat st;
	int pid, holder = 0;

	if (!fstat(fd, &st) && locks)
		while (!holder && fgets(line, sizeof(line), locks))
			if (sscanf(line, "%*d: FLOCK %*s %*s %d %x:%x:%llu", &pid, &major_nr,
				   &minor_nr, &inode) == 4 && inode == st.st_ino &&
			    makedev(major_nr, minor_nr) == st.st_dev)
				holder = pid;
	if (locks)
		fclose(locks);
	if (holder > 0)
		snprintf(text, size, "process %d", holder);
	else
		snprintf(text, size, "a process");
}

int device_lock(unsigned int number, int fd)
{
	static const struct timespec nap = { .tv_nsec = 1000000000 / LOCK_TRIES_A_SECOND };
	char holder[32];
	int i;

	for (i = 0; flock(fd, LOCK_EX | LOCK_NB); i++) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return failed(device_name(number), "its control node cannot be locked: "
				      "%s", strerror(errno));
		if (i == LOCK_SECONDS * LOCK_TRIES_A_SECOND) {
			name_holder(fd, holder, sizeof(holder));
			return failed(device_name(number), "%s has had its control node locked "
				      "for %d s, as servers have only while they start; end it, "
				      "or wait and try again", holder, LOCK_SECONDS);
		}
		nanosleep(&nap, NULL);
	}
	return EXIT_OK;
}

static int note_number(const struct abuse_dev *dev, void *arg)
{
	unsigned char *there = arg;

	there[dev->number / 8] |= (unsigned char)(1 << dev->number % 8);
	return 0;
}

int device_find_free(unsigned int *number, bool *was_added)
{
	static unsigned char there[(ABUSE_MAX_NUMBER + 1) / 8];
	struct abuse_add add = { .number = ABUSE_NUMBER_ANY };
	char text[16];
	int found;

	memset(there, 0, sizeof(there));
	abuse_dev_each(note_number, there);
	/* The group's devices cannot be removed by its members: they get one of their own. */
	found = geteuid() ? abuse_ctl_add(&add) : -1;
	found = found < 0 ? abuse_ctl_get_free() : (int)add.number;
	if (found < 0) {
		add_failed(&add, -found);
		return -1;
	}
	*was_added = !(there[found / 8] & 1 << found % 8);
	snprintf(text, sizeof(text), "%d", found);
	return device_open(text, number);
}

int device_failed(unsigned int number, const char *operation, int err)
{
	const char *name = device_name(number);

	switch (err) {
	case ENODEV:
		return failed(name, "cannot %s: the device was removed", operation);
	case ENXIO:
		return failed(name, "cannot %s: the device is not configured; "
			      "run 'abusectl setup %u'", operation, number);
	case EPERM:
		return failed(name, "cannot %s: the device is sealed; only root "
			      "and the user for whom it is sealed may use it", operation);
	}
	return failed(name, "cannot %s: %s", operation, strerror(err));
}
