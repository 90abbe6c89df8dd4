// SPDX-License-Identifier: GPL-2.0-only
// Copyright (C) 2026 the abuse authors
/*
 * The numbers of all devices: find, add, remove, and who may have how many.
 * Entered by control.c, by the open of a control node, and by the block
 * layer's probe for nodes made by hand.
 */
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/xarray.h>

#include "abuse.h"

DEFINE_MUTEX(abuse_index_lock);

/* Value of a removed number: opening its old node does not add the device again. */
#define ABUSE_REMOVED	xa_mk_value(1)

static DEFINE_XARRAY_FLAGS(abuse_devices, XA_FLAGS_ACCOUNT);

/* With a reference; NULL if there is none. */
struct abuse_device *abuse_index_get(u32 number)
{
	struct abuse_device *dev;

	xa_lock(&abuse_devices);
	dev = xa_load(&abuse_devices, number);
	if (!dev || xa_is_value(dev))
		dev = NULL;
	else
		abuse_device_get(dev);
	xa_unlock(&abuse_devices);
	return dev;
}

static bool abuse_is_number_taken(u32 number)
{
	void *entry = xa_load(&abuse_devices, number);

	return entry && !xa_is_value(entry);
}

static int abuse_pick_number(u32 *number)
{
	u32 n;

	lockdep_assert_held(&abuse_index_lock);
	if (*number == ABUSE_NUMBER_ANY) {
		for (n = 0; n < abuse_numbers; n++) {
			if (!abuse_is_number_taken(n)) {
				*number = n;
				return 0;
			}
		}
		return -ENOSPC;
	}
	if (*number >= abuse_numbers)
		return -ENOSPC;
	return abuse_is_number_taken(*number) ? -EEXIST : 0;
}

/* Counts the devices of ordinary users only. */
static int abuse_check_quota(kuid_t owner, const struct abuse_add *add)
{
	u64 devices = 1, depth = (u64)add->hw_queues * add->depth;
	struct abuse_device *dev;
	unsigned long number;

	lockdep_assert_held(&abuse_index_lock);
	if (uid_eq(owner, GLOBAL_ROOT_UID))
		return 0;
	xa_for_each(&abuse_devices, number, dev) {
		if (xa_is_value(dev) || !uid_eq(dev->owner, owner))
			continue;
		devices++;
		depth += dev->nr_slots;
	}
	return devices > abuse_user_devices || depth > abuse_user_depth ?
	       -EDQUOT : 0;
}

/* Does another device have this name or UUID? */
int abuse_index_check_identity(const struct abuse_device *self,
			       const char *name, const u8 *uuid)
{
	static const u8 none[sizeof(self->params.uuid)];
	bool has_uuid = memcmp(uuid, none, sizeof(none));
	struct abuse_device *dev;
	unsigned long number;

	lockdep_assert_held(&abuse_index_lock);
	xa_for_each(&abuse_devices, number, dev) {
		if (xa_is_value(dev) || dev == self)
			continue;
		if (name[0] && !strcmp(dev->params.name, name))
			return -EEXIST;
		if (has_uuid && !memcmp(dev->params.uuid, uuid, sizeof(none)))
			return -EEXIST;
	}
	return 0;
}

static int abuse_reserve_locked(struct abuse_add *add, struct abuse_birth *birth)
{
	struct abuse_device *dev;
	void *old;
	int err;

	lockdep_assert_held(&abuse_index_lock);
	err = abuse_add_check(add);
	if (!err)
		err = abuse_pick_number(&add->number);
	if (!err)
		err = abuse_index_check_identity(NULL, add->name, add->uuid);
	if (!err)
		err = abuse_check_quota(birth->owner, add);
	if (err)
		return err;

	dev = abuse_device_alloc(add->number, birth->owner, add, birth->own_major);
	if (!dev)
		return -ENOMEM;
	old = xa_store(&abuse_devices, add->number, dev, GFP_KERNEL);
	if (xa_is_err(old)) {
		abuse_device_put(dev);
		return xa_err(old);
	}
	birth->dev = dev;
	birth->was_removed = old;
	return 0;
}

static void abuse_cancel_locked(const struct abuse_birth *birth)
{
	u32 number = birth->dev->number;

	lockdep_assert_held(&abuse_index_lock);
	if (birth->was_removed)
		xa_store(&abuse_devices, number, ABUSE_REMOVED, GFP_KERNEL);
	else
		xa_erase(&abuse_devices, number);
	abuse_device_put(birth->dev);
}

/*
 * The first half of adding a device: it has its number, and until the second half every call to
 * it fails. add->number, hw_queues and depth are filled in; errors as for ABUSE_CTL_ADD.
 */
int abuse_index_reserve(struct abuse_add *add, struct abuse_birth *birth)
{
	int err;

	if (mutex_lock_killable(&abuse_index_lock))
		return -EINTR;
	err = abuse_reserve_locked(add, birth);
	mutex_unlock(&abuse_index_lock);
	return err;
}

/* The second half. After an error the caller calls abuse_index_cancel(). */
int abuse_index_start(struct abuse_birth *birth)
{
	int err;

	if (mutex_lock_killable(&abuse_index_lock))
		return -EINTR;
	err = abuse_device_start(birth->dev, birth->params);
	mutex_unlock(&abuse_index_lock);
	return err;
}

void abuse_index_cancel(const struct abuse_birth *birth)
{
	mutex_lock(&abuse_index_lock);
	abuse_cancel_locked(birth);
	mutex_unlock(&abuse_index_lock);
}

/*
 * own_major: the disk has the driver's own major, as in 2009. Otherwise it has the kernel's
 * major blkext, which programs with a list of known majors (LVM) accept.
 */
static int abuse_add_device_locked(struct abuse_add *add, kuid_t owner, bool own_major)
{
	struct abuse_birth birth = { .owner = owner, .own_major = own_major };
	int err;

	err = abuse_reserve_locked(add, &birth);
	if (err)
		return err;
	err = abuse_device_start(birth.dev, NULL);
	if (err)
		abuse_cancel_locked(&birth);
	return err;
}

/* For the driver itself: without a set-up and a descriptor. */
int abuse_index_add(struct abuse_add *add, kuid_t owner, bool own_major)
{
	int err;

	if (mutex_lock_killable(&abuse_index_lock))
		return -EINTR;
	err = abuse_add_device_locked(add, owner, own_major);
	mutex_unlock(&abuse_index_lock);
	return err;
}

/* A node was opened whose device does not exist: add the device, as in 2009. */
int abuse_index_add_on_demand(u32 number)
{
	struct abuse_add add = { .number = number };
	void *entry;
	int err;

	if (number >= abuse_numbers || !capable(CAP_SYS_ADMIN))
		return -ENODEV;
	if (mutex_lock_killable(&abuse_index_lock))
		return -EINTR;
	entry = xa_load(&abuse_devices, number);
	if (!entry)
		err = abuse_add_device_locked(&add, GLOBAL_ROOT_UID, true);
	else
		err = xa_is_value(entry) ? -ENODEV : 0;
	mutex_unlock(&abuse_index_lock);
	return err;
}

/* Root without CAP_SYS_ADMIN (in a container) owns no device. */
static bool abuse_is_callers_device(const struct abuse_device *dev)
{
	return abuse_device_is_users(dev) &&
	       uid_eq(dev->owner, current_euid());
}

/* The owner of a device that the caller adds; -EPERM: uid 0 without CAP_SYS_ADMIN. */
int abuse_index_owner(kuid_t *owner)
{
	*owner = capable(CAP_SYS_ADMIN) ? GLOBAL_ROOT_UID : current_euid();
	return uid_eq(*owner, GLOBAL_ROOT_UID) && !capable(CAP_SYS_ADMIN) ?
	       -EPERM : 0;
}

int abuse_index_remove(u32 number)
{
	struct abuse_device *dev = abuse_index_get(number);
	int begun, err = -EPERM;

	if (!dev)
		return -ENODEV;
	begun = atomic_read(&dev->nr_closes);
	/*
	 * The first half may wait for files, the second for grace periods of RCU: the lock of
	 * the index is taken after both. Until then the number is not given to another device.
	 */
	if (abuse_is_callers_device(dev) || capable(CAP_SYS_ADMIN))
		err = abuse_device_kill(dev);
	if (!err) {
		abuse_device_stop(dev);
		mutex_lock(&abuse_index_lock);
		xa_store(&abuse_devices, number, ABUSE_REMOVED, GFP_KERNEL);
		mutex_unlock(&abuse_index_lock);
		abuse_targets_wait_closed(dev, begun);
		abuse_device_put(dev);
	}
	abuse_device_put(dev);
	return err;
}

/* The group serves root's devices: the mode of the node let the caller in. */
static bool abuse_is_free_for_caller(struct abuse_device *dev)
{
	bool is_free;

	spin_lock(&dev->lock);
	is_free = dev->state == ABUSE_S_EMPTY && !dev->openers && !dev->nr_handles;
	spin_unlock(&dev->lock);
	return is_free && (abuse_is_callers_device(dev) || !abuse_device_is_users(dev));
}

int abuse_index_get_free(void)
{
	struct abuse_add add = { .number = ABUSE_NUMBER_ANY };
	struct abuse_device *dev;
	unsigned long number;
	kuid_t owner;
	int ret;

	ret = abuse_index_owner(&owner);
	if (ret)
		return ret;
	if (mutex_lock_killable(&abuse_index_lock))
		return -EINTR;
	xa_for_each(&abuse_devices, number, dev) {
		if (!xa_is_value(dev) && abuse_is_free_for_caller(dev)) {
			ret = number;
			goto out_unlock;
		}
	}
	ret = abuse_add_device_locked(&add, owner, false);
	if (!ret)
		ret = add.number;
out_unlock:
	mutex_unlock(&abuse_index_lock);
	return ret;
}

/* fn must not sleep. */
void abuse_index_each(void (*fn)(struct abuse_device *dev))
{
	struct abuse_device *dev;
	unsigned long number;

	xa_lock(&abuse_devices);
	xa_for_each(&abuse_devices, number, dev)
		if (!xa_is_value(dev))
			fn(dev);
	xa_unlock(&abuse_devices);
}

/* Unload: nothing is open and no device is up. */
void abuse_index_remove_all(void)
{
	struct abuse_device *dev;
	unsigned long number;

	mutex_lock(&abuse_index_lock);
	xa_for_each(&abuse_devices, number, dev) {
		if (xa_is_value(dev))
			continue;
		WARN_ON_ONCE(abuse_device_kill(dev));
		abuse_device_stop(dev);
		abuse_device_put(dev);
	}
	xa_destroy(&abuse_devices);
	mutex_unlock(&abuse_index_lock);
}
