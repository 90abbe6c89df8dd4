// SPDX-License-Identifier: GPL-2.0-only
// Copyright (C) 2026 the abuse authors
/*
 * Advisory locks and polls on descriptors of a control node. A sealing takes both away
 * from descriptors that may not use the device any more. Otherwise the owners of these
 * descriptors could keep the lock that the next server needs, and could make each
 * wake-up walk through their polls.
 *
 * Race between a descriptor that takes a lock (or polls) and the sealing that shuts it out:
 * the descriptor takes its lock first and checks the seal then; the sealing seals first
 * and drops locks then. So at least one of them sees the other.
 */
#include <linux/fcntl.h>

#include "abuse.h"

/* ---- descriptors that poll ------------------------------------------------------------ */

/* Wake-ups reach descriptors on this list; those that may not use the device stay off it. */
static void abuse_pollers_add(struct abuse_server *srv)
{
	struct abuse_device *dev = srv->dev;

	spin_lock(&dev->pollers_lock);
	if (list_empty(&srv->poller) && !abuse_server_check(srv))
		list_add_tail(&srv->poller, &dev->pollers);
	spin_unlock(&dev->pollers_lock);
}

static void abuse_pollers_remove(struct abuse_server *srv)
{
	struct abuse_device *dev = srv->dev;

	spin_lock(&dev->pollers_lock);
	list_del_init(&srv->poller);
	spin_unlock(&dev->pollers_lock);
}

/* The caller checks for requests after this. */
void abuse_pollers_wait(struct file *file, struct poll_table_struct *wait)
{
	struct abuse_server *srv = file->private_data;

	poll_wait(file, &srv->poll_wait, wait);
	if (list_empty_careful(&srv->poller))
		abuse_pollers_add(srv);
	/* Pairs with abuse_wake_one(): we see the request, or abuse_wake_one() sees us. */
	smp_mb();
}

void abuse_pollers_wake(struct abuse_device *dev, __poll_t events)
{
	struct abuse_server *srv;

	/* Callers made the barrier for both hints: abuse_wake_one(), abuse_wake_all(). */
	if (list_empty(&dev->pollers))
		return;
	spin_lock(&dev->pollers_lock);
	list_for_each_entry(srv, &dev->pollers, poller)
		/* As above. */
		if (waitqueue_active(&srv->poll_wait))
			wake_up_interruptible_poll(&srv->poll_wait, events);
	spin_unlock(&dev->pollers_lock);
}

/* ---- advisory locks -------------------------------------------------------------- */

static bool abuse_lock_is_unlock(const struct file_lock *lock)
{
	return ABUSE_FILE_LOCK(lock, type) == F_UNLCK;
}

static void abuse_unlock_init(struct file_lock *lock, struct file *file,
			      fl_owner_t owner, unsigned int flags)
{
	locks_init_lock(lock);
	ABUSE_FILE_LOCK(lock, flags) = flags | FL_CLOSE;
	ABUSE_FILE_LOCK(lock, type) = F_UNLCK;
	ABUSE_FILE_LOCK(lock, owner) = owner;
	ABUSE_FILE_LOCK(lock, file) = file;
	lock->fl_end = OFFSET_MAX;
}

/* Drops the flock(2) lock, and the fcntl(2) locks of every process, as a close does. */
static void abuse_locks_drop(struct file *file)
{
	struct file_lock lock;
	fl_owner_t owner;

	/* Pairs with abuse_lock_recheck(): we see the lock, or the recheck sees the seal. */
	smp_mb();
	abuse_unlock_init(&lock, file, file, FL_FLOCK);
	locks_lock_inode_wait(file_inode(file), &lock);
	while ((owner = abuse_posix_lock_owner(file))) {
		abuse_unlock_init(&lock, file, owner, FL_POSIX);
		posix_lock_file(file, &lock, NULL);
	}
}

/* Called after a lock was granted: drop it again if the device was sealed meanwhile. */
static int abuse_lock_recheck(struct file *file)
{
	int err;

	/* Pairs with abuse_locks_drop(). */
	smp_mb();
	err = abuse_server_check(file->private_data);
	if (err)
		abuse_locks_drop(file);
	return err;
}

/* flock(2) */
int abuse_server_flock(struct file *file, int cmd, struct file_lock *lock)
{
	int err;

	if (abuse_lock_is_unlock(lock))
		return locks_lock_inode_wait(file_inode(file), lock);
	err = abuse_server_check(file->private_data);
	if (!err)
		err = locks_lock_inode_wait(file_inode(file), lock);
	return err ? err : abuse_lock_recheck(file);
}

/* fcntl(2); a waiter for a lock calls this again, and is checked again */
int abuse_server_lock(struct file *file, int cmd, struct file_lock *lock)
{
	bool unlock = cmd != F_GETLK && abuse_lock_is_unlock(lock);
	int err = unlock ? 0 : abuse_server_check(file->private_data);

	if (err)
		return err;
	if (cmd == F_GETLK) {
		posix_test_lock(file, lock);
		return 0;
	}
	err = posix_lock_file(file, lock, NULL);
	return err || unlock ? err : abuse_lock_recheck(file);
}

/* ---- the descriptors of a device --------------------------------------------------- */

void abuse_descriptor_add(struct abuse_server *srv)
{
	struct abuse_device *dev = srv->dev;

	INIT_LIST_HEAD(&srv->poller);
	init_waitqueue_head(&srv->poll_wait);
	mutex_lock(&dev->descriptors_lock);
	list_add_tail(&srv->node, &dev->descriptors);
	mutex_unlock(&dev->descriptors_lock);
}

void abuse_descriptor_remove(struct abuse_server *srv)
{
	struct abuse_device *dev = srv->dev;

	abuse_pollers_remove(srv);
	mutex_lock(&dev->descriptors_lock);
	list_del(&srv->node);
	mutex_unlock(&dev->descriptors_lock);
}

/* The device was sealed just now. */
void abuse_descriptors_evict(struct abuse_device *dev)
{
	struct abuse_server *srv;

	mutex_lock(&dev->descriptors_lock);
	list_for_each_entry(srv, &dev->descriptors, node) {
		if (!abuse_server_check(srv))
			continue;
		abuse_pollers_remove(srv);
		wake_up_interruptible_poll(&srv->poll_wait, EPOLLERR);
		abuse_locks_drop(srv->file);
	}
	mutex_unlock(&dev->descriptors_lock);
}
