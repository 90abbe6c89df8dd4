// SPDX-License-Identifier: GPL-2.0-only
// Copyright (C) 2026 the abuse authors
/*
 * Birth and death of one device. Entered by index.c (add, remove); setup.c
 * handles its life in between, disk.c the side of the block layer, and recover.c the requests
 * that exist at a stop.
 */
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/random.h>
#include <linux/slab.h>

#include "abuse.h"

static void abuse_is_served_work(struct work_struct *work);

static void abuse_free_device_memory(struct abuse_device *dev)
{
	abuse_queues_free(dev);
	free_percpu(dev->latency);
	free_percpu(dev->stats);
	kvfree(dev->slots);
	kfree(dev);
}

struct abuse_device *abuse_device_alloc(u32 number, kuid_t owner,
					const struct abuse_add *add,
					bool own_major)
{
	struct abuse_device *dev;
	u64 generation;
	u32 i;

	dev = kzalloc(sizeof(*dev), GFP_KERNEL_ACCOUNT);
	if (!dev)
		return NULL;
	dev->number = number;
	dev->owner = owner;
	dev->own_major = own_major || abuse_major_is_chosen;
	dev->hw_queues = add->hw_queues;
	dev->depth = add->depth;
	dev->nr_slots = add->hw_queues * add->depth;
	dev->slots = kvcalloc(dev->nr_slots, sizeof(*dev->slots),
			      GFP_KERNEL_ACCOUNT);
	dev->stats = alloc_percpu_gfp(struct abuse_stats, GFP_KERNEL_ACCOUNT);
	if (!dev->slots || !dev->stats || abuse_queues_alloc(dev)) {
		abuse_free_device_memory(dev);
		return NULL;
	}
	/* A random start: an id of one device is not valid for another. */
	get_random_bytes(&generation, sizeof(generation));
	generation >>= ABUSE_STATE_BITS + 1;
	for (i = 0; i < dev->nr_slots; i++)
		atomic64_set(&dev->slots[i].word,
			     generation << ABUSE_STATE_BITS | ABUSE_FREE);
	memcpy(dev->params.name, add->name, sizeof(dev->params.name));
	memcpy(dev->params.uuid, add->uuid, sizeof(dev->params.uuid));

	dev->state = ABUSE_S_DYING;	/* until it is started */
	kref_init(&dev->ref);
	mutex_init(&dev->control);
	spin_lock_init(&dev->lock);
	init_waitqueue_head(&dev->doomed_wait);
	spin_lock_init(&dev->pollers_lock);
	INIT_LIST_HEAD(&dev->pollers);
	mutex_init(&dev->descriptors_lock);
	INIT_LIST_HEAD(&dev->descriptors);
	INIT_DELAYED_WORK(&dev->expire_work, abuse_expire);
	INIT_WORK(&dev->ready_work, abuse_is_served_work);
	INIT_LIST_HEAD(&dev->servers);
	INIT_LIST_HEAD(&dev->stacked);
	INIT_LIST_HEAD(&dev->walk);
	return dev;
}

static void abuse_device_free_work(struct work_struct *work)
{
	struct abuse_device *dev = container_of(work, struct abuse_device,
						free_work);

	abuse_redirect_stop(dev);
	abuse_free_device_memory(dev);
}

static void abuse_device_free(struct kref *ref)
{
	struct abuse_device *dev = container_of(ref, struct abuse_device, ref);

	if (!dev->redirects) {
		abuse_free_device_memory(dev);
		return;
	}
	/* A work of the device may drop the last reference, and must not wait for itself. */
	INIT_WORK(&dev->free_work, abuse_device_free_work);
	queue_work(abuse_patient_wq, &dev->free_work);
}

void abuse_device_get(struct abuse_device *dev)
{
	kref_get(&dev->ref);
}

void abuse_device_put(struct abuse_device *dev)
{
	kref_put(&dev->ref, abuse_device_free);
}

static ABUSE_DEVNODE(abctl_devnode, node, mode, uid, gid)
{
	struct abuse_device *dev = dev_get_drvdata(node);

	if (mode)
		*mode = 0600;
	if (uid)
		*uid = dev->owner;
	return NULL;
}

static const struct device_type abctl_type = {
	.name		= "abctl",
	.groups		= abuse_attribute_groups,
	.devnode	= abctl_devnode,
};

static void abuse_node_release(struct device *node)
{
	kfree(node);
}

static int abuse_add_node(struct abuse_device *dev)
{
	struct device *node;
	int err;

	node = kzalloc(sizeof(*node), GFP_KERNEL_ACCOUNT);
	if (!node)
		return -ENOMEM;
	device_initialize(node);
	node->class = abuse_class;
	node->type = &abctl_type;
	node->devt = MKDEV(abuse_node_major, dev->number);
	node->release = abuse_node_release;
	dev_set_drvdata(node, dev);
	err = dev_set_name(node, "abctl%u", dev->number);
	if (!err)
		err = device_add(node);
	if (err) {
		put_device(node);
		return err;
	}
	dev->node = node;
	return 0;
}

void abuse_device_set_state(struct abuse_device *dev, u32 state)
{
	spin_lock(&dev->lock);
	WRITE_ONCE(dev->state, state);
	spin_unlock(&dev->lock);
}

/*
 * Ends every request, now and for good: the state that refuses new ones has been
 * set. Then nothing of ours can wait for a server any more. -EINTR: killed while
 * files still had some; to be called again.
 */
int abuse_device_end_all(struct abuse_device *dev)
{
	lockdep_assert_held(&dev->control);
	abuse_fail_all(dev);
	abuse_map_close(dev);
	abuse_wake_all(dev);
	abuse_pollers_wake(dev, EPOLLHUP | EPOLLERR);
	wait_event(dev->doomed_wait, !atomic_read(&dev->nr_doomed));
	if (wait_event_killable(dev->doomed_wait, !abuse_any_redirected(dev)))
		return -EINTR;
	abuse_map_files_forget(dev);
	cancel_work_sync(&dev->ready_work);
	cancel_delayed_work_sync(&dev->expire_work);
	return 0;
}

static void abuse_undo_come_up(struct abuse_device *dev)
{
	abuse_device_set_state(dev, ABUSE_S_DYING);
	/* No request was ever redirected, so this does not wait and does not fail. */
	abuse_device_end_all(dev);
	if (dev->pins_module)
		module_put(THIS_MODULE);
	dev->pins_module = false;
}

/*
 * Makes the disk and the nodes appear, set up if there are params. The caller has put the
 * device into the index, since a program that learns of the disk may open it at once. A fault
 * of params is found before anything appears.
 */
int abuse_device_start(struct abuse_device *dev, struct abuse_params *params)
{
	int err;

	mutex_lock(&dev->control);
	err = abuse_disk_create(dev);
	if (err)
		goto out_unlock;
	abuse_queues_start(dev);
	if (params)
		err = abuse_device_configure(dev, params);
	if (!err)
		err = abuse_add_node(dev);
	if (err)
		goto out_disk;
	if (params)
		abuse_device_come_up(dev, params);
	else
		abuse_device_set_state(dev, ABUSE_S_EMPTY);
	err = abuse_disk_start(dev);
	if (err)
		goto out_node;
	if (params)
		abuse_device_appear(dev);
	mutex_unlock(&dev->control);
	return 0;

out_node:
	abuse_undo_come_up(dev);
	device_unregister(dev->node);
out_disk:
	abuse_disk_destroy(dev);
out_unlock:
	mutex_unlock(&dev->control);
	return err;
}

/*
 * The first half of the opposite of start: each call to the device from now on
 * is refused. -EBUSY: the disk is open. -EINTR, as above: it is emptying, or empty.
 */
int abuse_device_kill(struct abuse_device *dev)
{
	int err = 0;

	if (mutex_lock_killable(&dev->control))
		return -EINTR;
	spin_lock(&dev->lock);
	if (dev->openers) {
		err = -EBUSY;
	} else if (dev->state == ABUSE_S_DYING) {
		err = -ENODEV;
	} else {
		WRITE_ONCE(dev->admitted, false);
		WRITE_ONCE(dev->state, ABUSE_S_DYING);
	}
	spin_unlock(&dev->lock);
	if (!err) {
		err = abuse_device_end_all(dev);
		if (err)
			abuse_device_set_state(dev, dev->pins_module ?
					       ABUSE_S_EMPTYING : ABUSE_S_EMPTY);
	}
	mutex_unlock(&dev->control);
	return err;
}

/* The second half: removes the nodes. The caller removes the device from the index. */
void abuse_device_stop(struct abuse_device *dev)
{
	bool pins_module;

	mutex_lock(&dev->control);
	abuse_disk_stop(dev);
	device_unregister(dev->node);
	abuse_disk_destroy(dev);
	/* A submitter that ran while the device died may have scheduled it again. */
	cancel_delayed_work_sync(&dev->expire_work);
	pins_module = dev->pins_module;
	mutex_unlock(&dev->control);
	if (pins_module)
		module_put(THIS_MODULE);
}

/* ---- the first server ------------------------------------------------------------ */

/* Reads the disk, so a worker does it: the server that waits must not wait for its own disk. */
static void abuse_is_served_work(struct work_struct *work)
{
	struct abuse_device *dev = container_of(work, struct abuse_device,
						ready_work);

	abuse_disk_event(dev, "ready");
	if (!abuse_max_part || !READ_ONCE(dev->sealed))
		return;
	abuse_disk_suppress_scan(dev->disk, false);
	WRITE_ONCE(dev->scanner, current);
	abuse_disk_scan(dev->disk);
	WRITE_ONCE(dev->scanner, NULL);
}

/* A server looks for work: the device is ready, and its partitions are read. */
void abuse_device_is_served(struct abuse_server *srv)
{
	struct abuse_device *dev = srv->dev;
	s64 epoch;

	if (likely(READ_ONCE(dev->ready)))
		return;
	epoch = atomic64_read(&srv->epoch);
	spin_lock(&dev->lock);
	if (dev->state == ABUSE_S_UP && !dev->ready &&
	    (!epoch || epoch == atomic64_read(&dev->epoch))) {
		WRITE_ONCE(dev->ready, true);
		/* It may wait for a server, and time-outs must not wait for it. */
		if (dev->is_announced)
			queue_work(abuse_patient_wq, &dev->ready_work);
	}
	spin_unlock(&dev->lock);
}

/* The event "up" was sent: "ready" comes after it, even if a server was faster. */
void abuse_device_is_announced(struct abuse_device *dev)
{
	lockdep_assert_held(&dev->control);
	spin_lock(&dev->lock);
	dev->is_announced = true;
	if (dev->ready)
		queue_work(abuse_patient_wq, &dev->ready_work);
	spin_unlock(&dev->lock);
}
