// SPDX-License-Identifier: GPL-2.0-only
// Copyright (C) 2026 the abuse authors
/*
 * Set-up, live changes and reset of a device. Entered by calls of servers; disk.c sets the
 * limits, params.c checks values, recover.c ends the requests that a reset finds.
 */
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/mm.h>
#include <linux/module.h>

#include "abuse.h"

/*
 * Takes dev->control for a call of srv, and checks srv again: the device may have been sealed
 * or removed while the call waited. -EINTR, -ENODEV, -EPERM.
 */
static int abuse_control_lock(struct abuse_server *srv)
{
	int err;

	if (mutex_lock_killable(&srv->dev->control))
		return -EINTR;
	err = abuse_server_check(srv);
	if (err)
		mutex_unlock(&srv->dev->control);
	return err;
}

/*
 * Requests are checked against the flag of the set-up. The flag of the disk is also for the
 * administrator (blockdev --setro); the kernel checks it when a program writes to the disk.
 */
static void abuse_set_read_only(struct abuse_device *dev, bool read_only)
{
	lockdep_assert_held(&dev->control);
	WRITE_ONCE(dev->read_only, read_only);
	set_disk_ro(dev->disk, read_only);
}

/* ---- the end of a set-up ---------------------------------------------------------- */

/* The second half of RESET: waits for files that have requests, killably. */
static int abuse_finish_reset(struct abuse_device *dev)
{
	int err;

	if (dev->state != ABUSE_S_EMPTYING)
		return 0;
	err = abuse_device_end_all(dev);
	if (err)
		return err;
	/* If a partition is open, the partitions stay until it is closed; their I/O fails. */
	abuse_disk_drop_partitions(dev);
	set_capacity_and_notify(dev->disk, 0);
	abuse_disk_suppress_scan(dev->disk, true);
	abuse_set_read_only(dev, false);
	spin_lock(&dev->lock);
	WRITE_ONCE(dev->sealed, false);
	dev->is_announced = false;
	WRITE_ONCE(dev->ready, false);
	abuse_stats_set_up(dev);
	spin_unlock(&dev->lock);
	abuse_servers_forget(dev);
	abuse_disk_event(dev, "empty");
	abuse_device_set_state(dev, ABUSE_S_EMPTY);
	dev->pins_module = false;
	module_put(THIS_MODULE);
	return 0;
}

/* ---- set-up ----------------------------------------------------------------- */

/* A silent server of a user must not block sync(2) of others for longer than user_timeout. */
static int abuse_check_user_timeout(const struct abuse_device *dev,
			      const struct abuse_params *params)
{
	s64 most = (s64)abuse_user_timeout * NSEC_PER_SEC;

	if (!abuse_device_is_users(dev) || !most)
		return 0;
	if (!params->timeout || capable(CAP_SYS_ADMIN))
		return 0;
	return params->timeout < 0 || params->timeout > most ? -EPERM : 0;
}

static const u8 no_uuid[sizeof_field(struct abuse_params, uuid)];

static bool abuse_has_identity(const struct abuse_params *params)
{
	return params->name[0] ||
	       memcmp(params->uuid, no_uuid, sizeof(no_uuid));
}

/* A name or UUID is given once. */
static int abuse_check_identity(const struct abuse_device *dev,
			  struct abuse_params *params)
{
	const struct abuse_params *now = &dev->params;
	int err = 0;

	if (abuse_has_identity(params))
		err = abuse_index_check_identity(dev, params->name,
						 params->uuid);
	if (err)
		return err;
	if (!params->name[0])
		memcpy(params->name, now->name, sizeof(params->name));
	else if (now->name[0] && strcmp(now->name, params->name))
		return -EBUSY;
	if (!memcmp(params->uuid, no_uuid, sizeof(no_uuid)))
		memcpy(params->uuid, now->uuid, sizeof(params->uuid));
	else if (memcmp(now->uuid, no_uuid, sizeof(no_uuid)) &&
		 memcmp(now->uuid, params->uuid, sizeof(no_uuid)))
		return -EBUSY;
	return 0;
}

static int abuse_check_seal(const struct abuse_params *params, kuid_t *uid)
{
	*uid = GLOBAL_ROOT_UID;
	if (!(params->flags & ABUSE_PARAMS_SEALED))
		return 0;
	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	*uid = make_kuid(current_user_ns(), params->seal_uid);
	return uid_valid(*uid) ? 0 : -EINVAL;
}

/* -EBUSY: a user without CAP_SYS_ADMIN has the disk open. */
static int abuse_seal_device(struct abuse_device *dev, bool sealed, kuid_t uid)
{
	int err = 0;

	spin_lock(&dev->lock);
	if (sealed && dev->opened_by_user) {
		err = -EBUSY;
	} else {
		WRITE_ONCE(dev->seal_uid, uid);
		WRITE_ONCE(dev->sealed, sealed);
	}
	spin_unlock(&dev->lock);
	return err;
}

static const struct abuse_abilities this_kernel = {
	.page_size = PAGE_SIZE,
	.max_block = BLK_MAX_BLOCK_SIZE,
	.atomic = ABUSE_HAVE_ATOMIC_WRITES,
};

static int abuse_check_set_up(struct abuse_device *dev, struct abuse_params *params,
			      kuid_t *seal_uid)
{
	int err;

	err = abuse_check_user_timeout(dev, params);
	if (!err)
		err = abuse_params_complete(params, dev->nr_slots, &this_kernel);
	if (!err)
		err = abuse_check_seal(params, seal_uid);
	if (!err)
		err = abuse_check_identity(dev, params);
	return err;
}

/* The disk is empty, and nobody can open it now. */
static int abuse_seal_and_set_limits(struct abuse_device *dev, const struct abuse_params *params,
				     kuid_t seal_uid)
{
	int err;

	err = abuse_seal_device(dev, params->flags & ABUSE_PARAMS_SEALED, seal_uid);
	if (err)
		return err;
	abuse_descriptors_evict(dev);
	err = abuse_disk_set_limits(dev, params);
	if (err)
		abuse_seal_device(dev, false, GLOBAL_ROOT_UID);
	return err;
}

/* After this the device is up, and its disk still has no capacity. */
void abuse_device_come_up(struct abuse_device *dev, const struct abuse_params *params)
{
	lockdep_assert_held(&dev->control);
	dev->pins_module = true;
	__module_get(THIS_MODULE);
	abuse_disk_suppress_scan(dev->disk, true);
	abuse_set_read_only(dev, params->flags & ABUSE_PARAMS_READ_ONLY);
	spin_lock(&dev->lock);
	dev->params = *params;
	WRITE_ONCE(dev->features, params->features |
		   (params->atomic_max ? ABUSE_F_ATOMIC : 0));
	WRITE_ONCE(dev->timeout, params->timeout);
	WRITE_ONCE(dev->max_request, params->max_request);
	WRITE_ONCE(dev->chunk, params->chunk);
	WRITE_ONCE(dev->ready, false);
	abuse_expire_set_up(dev);
	WRITE_ONCE(dev->sync_failed, false);
	abuse_stats_set_up(dev);
	abuse_set_limit(dev, params->queue_limit);
	atomic64_inc(&dev->epoch);
	/* A reader that sees the device up also sees everything above. */
	smp_store_release(&dev->state, ABUSE_S_UP);
	spin_unlock(&dev->lock);
	abuse_expire_anew(dev);
}

static void abuse_announce(struct abuse_device *dev)
{
	abuse_disk_event(dev, "up");
	abuse_device_is_announced(dev);
}

static int abuse_set_up_device(struct abuse_server *srv, struct abuse_params *params)
{
	struct abuse_device *dev = srv->dev;
	kuid_t seal_uid;
	int err;

	err = abuse_check_set_up(dev, params, &seal_uid);
	if (!err)
		err = abuse_claim_disk(dev->disk, dev);
	if (err)
		return err;

	/* The disk is empty: I/O of this call fails at once. */
	err = abuse_disk_drop_partitions(dev);
	if (!err)
		err = abuse_seal_and_set_limits(dev, params, seal_uid);
	if (err)
		goto out_unclaim;
	abuse_disk_new_medium(dev);
	/* Before the device is up, or calls on this descriptor would find another set-up. */
	atomic64_set(&srv->epoch, atomic64_read(&dev->epoch) + 1);
	abuse_device_come_up(dev, params);
	set_capacity_and_notify(dev->disk, params->capacity >> SECTOR_SHIFT);
out_unclaim:
	abuse_unclaim_disk(dev->disk, dev);
	if (err)
		return err;
	abuse_announce(dev);
	return 0;
}

/* ---- a device that is born with its set-up ------------------------------------------- */

/* All that can fail, before the disk is added. Errors of SET_PARAMS; params is completed. */
int abuse_device_configure(struct abuse_device *dev, struct abuse_params *params)
{
	kuid_t seal_uid;
	int err;

	lockdep_assert_held(&dev->control);
	err = abuse_check_set_up(dev, params, &seal_uid);
	return err ? err : abuse_seal_and_set_limits(dev, params, seal_uid);
}

/* After it was added, in the order of other set-ups. */
void abuse_device_appear(struct abuse_device *dev)
{
	lockdep_assert_held(&dev->control);
	set_capacity_and_notify(dev->disk, dev->params.capacity >> SECTOR_SHIFT);
	abuse_announce(dev);
}

/* ---- live changes -------------------------------------------------------------- */

/* The disk may be mounted and have queued requests: nothing here may wait for them. */
static int abuse_change_set_up(struct abuse_device *dev, const struct abuse_params *next)
{
	bool read_only = next->flags & ABUSE_PARAMS_READ_ONLY;
	sector_t end = next->capacity >> SECTOR_SHIFT;

	lockdep_assert_held(&dev->control);
	if (read_only != dev->read_only) {
		if (read_only && abuse_disk_has_holder(dev->disk))
			return -EBUSY;
		/* An opener that claims the disk at this moment has not written yet. */
		abuse_set_read_only(dev, read_only);
		if (read_only && abuse_disk_has_holder(dev->disk)) {
			abuse_set_read_only(dev, false);
			return -EBUSY;
		}
	}
	spin_lock(&dev->lock);
	dev->params = *next;
	WRITE_ONCE(dev->timeout, next->timeout);
	spin_unlock(&dev->lock);
	abuse_expire_anew(dev);
	abuse_set_limit(dev, next->queue_limit);

	if (end != get_capacity(dev->disk)) {
		if (end > get_capacity(dev->disk))
			abuse_map_expect_change(dev);
		set_capacity_and_notify(dev->disk, end);
		abuse_fail_beyond(dev, end);
		abuse_map_resize(dev, end);
	}
	return 0;
}

static int abuse_change_live(struct abuse_device *dev, struct abuse_params *next)
{
	int err;

	err = abuse_check_user_timeout(dev, next);
	if (!err)
		err = abuse_params_merge(&dev->params, next, dev->nr_slots);
	return err ? err : abuse_change_set_up(dev, next);
}

/* SET_STATUS with RECONNECT. -ENXIO: the device is empty, and the caller sets it up. */
int abuse_device_reconnect(struct abuse_server *srv,
			   const struct abuse_params *params)
{
	struct abuse_device *dev = srv->dev;
	struct abuse_params next;
	int err;

	err = abuse_pace();
	if (!err)
		err = abuse_control_lock(srv);
	if (err)
		return err;
	next = dev->params;
	if (dev->state != ABUSE_S_UP) {
		err = -ENXIO;
	} else if (params->capacity != next.capacity ||
		   params->logical_block_size != next.logical_block_size ||
		   params->queue_limit > dev->nr_slots) {
		err = -EINVAL;
	} else {
		next.queue_limit = params->queue_limit;
		next.flags &= ~ABUSE_PARAMS_READ_ONLY;
		next.flags |= params->flags;
		err = abuse_change_set_up(dev, &next);
	}
	mutex_unlock(&dev->control);
	return err;
}

static int abuse_set_up_or_change(struct abuse_server *srv,
			    struct abuse_params *params, bool live)
{
	struct abuse_device *dev = srv->dev;

	if (dev->state == ABUSE_S_UP) {
		if (abuse_server_is_over(srv))
			return -ENXIO;
		return live ? abuse_change_live(dev, params) : -EBUSY;
	}
	if (abuse_any_redirected(dev))
		return -EBUSY;
	return abuse_finish_reset(dev) ?: abuse_set_up_device(srv, params);
}

/*
 * Takes the lock of the index, too, which a name needs. It is never held while waiting for a
 * RESET that waits for a file.
 */
static int abuse_index_and_control_lock(struct abuse_server *srv)
{
	struct mutex *control = &srv->dev->control;
	int err;

	for (;;) {
		if (mutex_lock_killable(&abuse_index_lock))
			return -EINTR;
		if (mutex_trylock(control))
			break;
		mutex_unlock(&abuse_index_lock);
		if (mutex_lock_killable(control))
			return -EINTR;
		mutex_unlock(control);
	}
	err = abuse_server_check(srv);
	if (err) {
		mutex_unlock(control);
		mutex_unlock(&abuse_index_lock);
	}
	return err;
}

/*
 * Sets an empty device up; live: or changes one that is up, else that is -EBUSY, or
 * -ENXIO if it is not the set-up that this descriptor served. params is completed
 * with what holds then.
 */
int abuse_device_set_up(struct abuse_server *srv, struct abuse_params *params,
			bool live)
{
	bool named = abuse_has_identity(params);
	int err = abuse_pace();

	if (!err)
		err = named ? abuse_index_and_control_lock(srv) : abuse_control_lock(srv);
	if (err)
		return err;
	err = abuse_set_up_or_change(srv, params, live);
	mutex_unlock(&srv->dev->control);
	if (named)
		mutex_unlock(&abuse_index_lock);
	return err;
}

/* ---- reset --------------------------------------------------------------------- */

/* PUT_BIO with DEVICE_FAILURE: all requests fail, the device stays up. */
int abuse_device_fail(struct abuse_server *srv)
{
	int err = abuse_control_lock(srv);

	if (err)
		return err;
	abuse_fail_all(srv->dev);
	mutex_unlock(&srv->dev->control);
	return 0;
}

/* RESET needs no claim on the disk, and waits for no server. */
int abuse_device_reset(struct abuse_server *srv)
{
	struct abuse_device *dev = srv->dev;
	int err;

	err = abuse_pace();
	if (!err)
		err = abuse_control_lock(srv);
	if (err)
		return err;
	spin_lock(&dev->lock);
	if (dev->state == ABUSE_S_UP)
		WRITE_ONCE(dev->state, ABUSE_S_EMPTYING);
	WRITE_ONCE(dev->admitted, false);
	spin_unlock(&dev->lock);
	err = abuse_finish_reset(dev);
	mutex_unlock(&dev->control);
	return err;
}
