// SPDX-License-Identifier: GPL-2.0-only
// Copyright (C) 2026 the abuse authors
/*
 * The block layer's side of a device: tag set, disk, limits, open and release,
 * events. Entered by device.c; requests go to submit.c.
 */
#include <linux/capability.h>
#include <linux/kobject.h>
#include <linux/module.h>

#include "abuse.h"

/* blk-mq asks about a request this often; abuse_rq_timeout() declines. */
#define ABUSE_RQ_TIMEOUT	(3600 * HZ)
#define ABUSE_DISK_NAME		"abuse"	/* and the number */
/* Share of the dirty page cache that a user's device may fill, in per cent. */
#define ABUSE_USER_DIRTY	1

/* The partition scan of the driver does not count as an opener: REMOVE must be able to stop it. */
static int abuse_add_opener(struct abuse_device *dev, const struct gendisk *disk)
{
	bool admin = ns_capable_noaudit(&init_user_ns, CAP_SYS_ADMIN);
	int err;

	spin_lock(&dev->lock);
	if (dev->state == ABUSE_S_DYING || dev->disk != disk)
		err = -ENXIO;
	else
		err = abuse_access_disk(dev, admin);
	if (!err && dev->scanner != current) {
		WRITE_ONCE(dev->openers, dev->openers + 1);
		dev->opened_by_user |= !admin;
	}
	spin_unlock(&dev->lock);
	return err;
}

/*
 * The disk may outlive its device for a moment, so ask the index for the device. Take the
 * number from the name: the kernel may have chosen the minor.
 */
static ABUSE_BLK_OPEN(abuse_open, disk, mode)
{
	struct abuse_device *dev = NULL;
	u32 number;
	int err;

	if (!kstrtou32(disk->disk_name + strlen(ABUSE_DISK_NAME), 10, &number))
		dev = abuse_index_get(number);
	if (!dev)
		return -ENXIO;
	err = abuse_add_opener(dev, disk);
	if (!err && (mode & BLK_OPEN_EXCL))
		abuse_claim_begins(dev);
	if (err == -ENXIO && mode & BLK_OPEN_EXCL &&
	    !abuse_access_is_admitted(dev))
		abuse_access_explain(dev);
	abuse_device_put(dev);
	return err;
}

static ABUSE_BLK_RELEASE(abuse_release, disk)
{
	struct abuse_device *dev = disk->private_data;

	spin_lock(&dev->lock);
	if (dev->scanner != current) {
		WRITE_ONCE(dev->openers, dev->openers - 1);
		if (!dev->openers)
			dev->opened_by_user = false;
	}
	if (dev->has_leftovers)
		queue_work(abuse_patient_wq, &dev->leftovers_work);
	spin_unlock(&dev->lock);
}

static const struct block_device_operations abuse_disk_ops = {
	.owner		= THIS_MODULE,
	.open		= abuse_open,
	.release	= abuse_release,
};

static u64 abuse_bytes_within_chunk(const struct abuse_params *params, u64 bytes)
{
	return params->chunk ? min_t(u64, bytes, params->chunk) : bytes;
}

static void abuse_fill_queue_limits(struct queue_limits *lim,
			const struct abuse_params *params)
{
	lim->logical_block_size = params->logical_block_size;
	lim->physical_block_size = params->physical_block_size;
	lim->io_min = params->io_min;
	lim->io_opt = params->io_opt;
	lim->max_hw_sectors = params->max_request >> SECTOR_SHIFT;
	lim->max_segments = ABUSE_MAX_VECS;
	lim->max_segment_size = UINT_MAX;
	lim->chunk_sectors = params->chunk >> SECTOR_SHIFT;
	/* Large discards are split at multiples of the granularity. */
	lim->max_hw_discard_sectors =
		abuse_bytes_within_chunk(params, params->max_discard) >> SECTOR_SHIFT;
	lim->discard_granularity = max(params->discard_granularity,
				       params->max_discard ? params->chunk : 0);
	lim->max_write_zeroes_sectors =
		abuse_bytes_within_chunk(params, params->max_write_zeroes) >> SECTOR_SHIFT;
	abuse_limits_atomic(lim, params->atomic_min, params->atomic_max);
	abuse_limits_wzeroes_unmap(lim, params->features & ABUSE_F_DISCARD);
	lim->features &= ~(BLK_FEAT_WRITE_CACHE | BLK_FEAT_FUA |
			   BLK_FEAT_ROTATIONAL | BLK_FEAT_POLL);
	if (params->features & ABUSE_F_WRITE_CACHE)
		lim->features |= BLK_FEAT_WRITE_CACHE;
	if (params->features & ABUSE_F_FUA)
		lim->features |= BLK_FEAT_FUA;
	if (params->features & ABUSE_F_ROTATIONAL)
		lim->features |= BLK_FEAT_ROTATIONAL;
	if (params->flags & ABUSE_PARAMS_SEALED)
		lim->features |= BLK_FEAT_POLL;
}

/* For an empty disk only: setting limits freezes the queue, which must not wait for requests. */
int abuse_disk_set_limits(struct abuse_device *dev,
			  const struct abuse_params *params)
{
	struct request_queue *q = dev->disk->queue;
	struct queue_limits lim;

	lockdep_assert_held(&dev->control);
	lim = queue_limits_start_update(q);
	abuse_fill_queue_limits(&lim, params);
	return queue_limits_commit_update_frozen(q, &lim);
}

static void abuse_set_leftovers(struct abuse_device *dev, bool has)
{
	spin_lock(&dev->lock);
	dev->has_leftovers = has;
	spin_unlock(&dev->lock);
	if (!has)
		cancel_work_sync(&dev->leftovers_work);
}

/* RESET could not drop open partitions; they are closed now. Set-up and REMOVE cancel this. */
static void abuse_leftovers_work(struct work_struct *work)
{
	struct abuse_device *dev = container_of(work, struct abuse_device,
			leftovers_work);

	abuse_disk_changed(dev->disk, true);
}

/*
 * For an empty disk. -EBUSY: a partition is open, so all partitions stay until it is
 * closed; their I/O fails.
 */
int abuse_disk_drop_partitions(struct abuse_device *dev)
{
	int err;

	lockdep_assert_held(&dev->control);
	/* Set this first: the last close may come before the next line. */
	abuse_set_leftovers(dev, true);
	err = abuse_disk_changed(dev->disk, true);
	if (err != -EBUSY)
		abuse_set_leftovers(dev, false);
	return err;
}

/*
 * The next configuration is a new medium: drop the page cache of the former one, and move
 * diskseq. The caller has the claim on an empty disk, whose I/O fails at once, so this waits
 * for no server. If cached writes are lost, fsync() reports EIO on descriptors that were open
 * before, and not on later ones.
 */
void abuse_disk_new_medium(struct abuse_device *dev)
{
	lockdep_assert_held(&dev->control);
	abuse_disk_drop_pages(dev->disk);
	/* This asks for a partition scan, which is done later, when the first server waits. */
	abuse_disk_media_change(dev->disk);
}

static int abuse_alloc_tag_set(struct abuse_device *dev)
{
	struct blk_mq_tag_set *set = &dev->tag_set;
	int err;

	set->ops = &abuse_mq_ops;
	set->nr_maps = ABUSE_QUEUE_MAPS;
	set->nr_hw_queues = min_t(u32, dev->hw_queues, nr_cpu_ids);
	set->queue_depth = dev->depth;
	set->numa_node = NUMA_NO_NODE;
	set->timeout = ABUSE_RQ_TIMEOUT;
	set->driver_data = dev;
	/* STACKING: a CPU that goes offline must not wait for a server. */
	set->flags = BLK_MQ_F_SHOULD_MERGE | BLK_MQ_F_STACKING |
		     BLK_MQ_F_NO_SCHED_BY_DEFAULT;
	err = blk_mq_alloc_tag_set(set);
	if (err)
		return err;
	/* The kernel may have made fewer queues, as memory allows. */
	dev->hw_queues = set->nr_hw_queues;
	dev->depth = set->queue_depth;
	dev->nr_slots = dev->hw_queues * dev->depth;
	return 0;
}

/* The parameters of an unconfigured disk. */
static const struct abuse_params empty_params = {
	.logical_block_size	= SECTOR_SIZE,
	.physical_block_size	= SECTOR_SIZE,
	.io_min			= SECTOR_SIZE,
	.max_request		= ABUSE_MAX_REQUEST,
};

int abuse_disk_create(struct abuse_device *dev)
{
	struct queue_limits lim = { };
	struct gendisk *disk;
	int err;

	INIT_WORK(&dev->leftovers_work, abuse_leftovers_work);
	err = abuse_alloc_tag_set(dev);
	if (err)
		return err;
	abuse_fill_queue_limits(&lim, &empty_params);
	disk = abuse_alloc_disk(&dev->tag_set, &lim, dev,
				dev->own_major ? 1 << abuse_minor_shift : 0);
	if (IS_ERR(disk)) {
		blk_mq_free_tag_set(&dev->tag_set);
		return PTR_ERR(disk);
	}
	if (dev->own_major) {
		disk->major = abuse_block_major;
		disk->first_minor = dev->number << abuse_minor_shift;
	}
	disk->fops = &abuse_disk_ops;
	disk->private_data = dev;
	snprintf(disk->disk_name, sizeof(disk->disk_name), ABUSE_DISK_NAME "%u",
		 dev->number);
	/* Only scanning is suppressed: with any max_part, partx(8) can add partitions. */
	abuse_disk_suppress_scan(disk, true);
	dev->disk = disk;
	return 0;
}

int abuse_disk_start(struct abuse_device *dev)
{
	int err;

	if (abuse_device_is_users(dev)) {
		err = abuse_disk_limit_dirty(dev->disk, ABUSE_USER_DIRTY);
		if (err)
			return err;
	}
	err = abuse_add_disk(dev->node, dev->disk);
	if (!err)
		WRITE_ONCE(dev->devt, disk_devt(dev->disk));
	return err;
}

/* Every request has ended and no new one is let in. */
void abuse_disk_stop(struct abuse_device *dev)
{
	abuse_set_leftovers(dev, false);
	del_gendisk(dev->disk);
}

void abuse_disk_destroy(struct abuse_device *dev)
{
	abuse_put_disk(dev->disk);
	blk_mq_free_tag_set(&dev->tag_set);
}

/* NULL: another driver's disk. */
struct abuse_device *abuse_disk_device(const struct gendisk *disk)
{
	return disk->fops == &abuse_disk_ops ? disk->private_data : NULL;
}

/* A change event with ABUSE_STATE= up, ready or empty, for udev and listeners. */
void abuse_disk_event(struct abuse_device *dev, const char *state)
{
	char property[32];
	char *env[] = { property, NULL };

	snprintf(property, sizeof(property), "ABUSE_STATE=%s", state);
	kobject_uevent_env(&disk_to_dev(dev->disk)->kobj, KOBJ_CHANGE, env);
}
