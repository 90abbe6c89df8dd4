/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The time-out of a user's device cannot be got around with a file that answers when a
 * user likes: one on a file system of the user's own name space is refused, EPERM,
 * and one of the system's is not. On root's device, which may wait for ever, both are
 * taken.
 */
#include "redirect.h"

#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>

#define OWNER	4242
#define REFUSED(error)	(100 + (error))	/* exit status: 1 is a failed need() */

static struct device *d;

static void put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	need(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text), "%s", path);
	close(fd);
}

static int registered(const char *path)
{
	int ctl = server_open(d), fd = open(path, O_RDWR | O_CREAT, 0600), index;

	need(fd >= 0, "%s", path);
	index = file_register(ctl, fd);
	close(ctl);
	return index < 0 ? REFUSED(-index) : 0;
}

static int of_the_system(void *arg)
{
	(void)arg;
	return registered("/dev/shm/abuse-test-file");
}

/* As root of a name space of its own. */
static int of_its_own(void *arg)
{
	char uids[64], gids[64];

	(void)arg;
	/* Asked later, both would be nobody. */
	snprintf(uids, sizeof(uids), "0 %u 1", getuid());
	snprintf(gids, sizeof(gids), "0 %u 1", getgid());
	/* Who has changed its user has lost its own files in /proc. */
	need(!prctl(PR_SET_DUMPABLE, 1), "PR_SET_DUMPABLE");
	need(!unshare(CLONE_NEWUSER | CLONE_NEWNS), "a name space");
	put("/proc/self/setgroups", "deny");
	put("/proc/self/uid_map", uids);
	put("/proc/self/gid_map", gids);
	need(!mount("own", "/mnt", "tmpfs", 0, NULL), "a file system of its own");
	return registered("/mnt/file");
}

static int add(void *arg)
{
	struct abuse_add a = { .size = sizeof(a), .number = ABUSE_NUMBER_ANY };

	(void)arg;
	if (device_add(&a))
		return 255;
	*d = device_of(a.number);
	return !wait_for(!access(d->node, R_OK | W_OK));
}

int main(void)
{
	test_begin();
	d = memory_new(sizeof(*d));
	node_for_all("/dev/abuse-control");
	is(run_as(OWNER, add, NULL), 0, "an ordinary user adds a device");
	is(run_as(OWNER, of_the_system, NULL), 0, "a file of the system's");
	is(run_as(OWNER, of_its_own, NULL), REFUSED(EPERM), "one of a name space of its own");
	unlink("/dev/shm/abuse-test-file");

	*d = device_new();
	node_for_all(d->node);
	is(run_as(OWNER, of_its_own, NULL), 0, "that one, on root's device");
	return done();
}
