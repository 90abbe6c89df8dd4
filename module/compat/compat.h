/* SPDX-License-Identifier: GPL-2.0-only */
/* Copyright (C) 2026 the abuse authors */
/*
 * Interfaces that older kernels lack, in the shape the newest gives them; included by force
 * before every source. The only file with conditions, and those ask what
 * compat/probe.sh found in the kernel's headers, never for a version.
 *
 * Nothing here keeps state. Names that begin with compat_ are for this file
 * alone; those that begin with abuse_ have no one shape in the kernel.
 */
#ifndef ABUSE_COMPAT_H
#define ABUSE_COMPAT_H

/* Before linux/printk.h, which is in all that follows. */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/backing-dev.h>
#include <linux/blk-cgroup.h>
#include <linux/blk-mq.h>
#include <linux/blkdev.h>
#include <linux/device.h>
#include <linux/err.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/fsnotify.h>
#include <linux/highmem.h>
#include <linux/instrumented.h>
#include <linux/kobject.h>
#include <linux/kthread.h>
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/pagemap.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>

#include <compat/generated.h>

#if ABUSE_HAVE_FILE_LOCK_HEADER
#include <linux/filelock.h>
#endif

/* ---- Names ---------------------------------------------------------------- */

#if !ABUSE_HAVE_SHOULD_MERGE
#define BLK_MQ_F_SHOULD_MERGE 0
#endif

/* Without the flag abuse_add_disk() below keeps the scheduler away. */
#if !ABUSE_HAVE_NO_SCHED_BY_DEFAULT
#define BLK_MQ_F_NO_SCHED_BY_DEFAULT 0
#endif

/* On 32 bits the kernel's own forms assert, up to Linux 5.16 or so, that the processor moves so much at once. */
#ifndef CONFIG_64BIT
static inline s64 compat_atomic64_read_acquire(const atomic64_t *v)
{
	s64 value = atomic64_read(v);

	smp_mb();
	return value;
}
#undef atomic64_read_acquire
#define atomic64_read_acquire compat_atomic64_read_acquire

static inline void compat_atomic64_set_release(atomic64_t *v, s64 value)
{
	smp_mb();
	atomic64_set(v, value);
}
#undef atomic64_set_release
#define atomic64_set_release compat_atomic64_set_release
#endif

/* Newer kernels fill every variable on the stack with zeroes, unless told not to. */
#ifndef __uninitialized
#define __uninitialized
#endif

/* Atomic writes; before 6.13 or so limits alone say that a queue can. */
#ifndef REQ_ATOMIC
#define REQ_ATOMIC 0
#endif
#ifndef BLK_FEAT_ATOMIC_WRITES
#define BLK_FEAT_ATOMIC_WRITES ((__force blk_features_t)0)
#endif

/* Up to the page size, until page caches had larger folios. */
#ifndef BLK_MAX_BLOCK_SIZE
#define BLK_MAX_BLOCK_SIZE PAGE_SIZE
#endif

#if !ABUSE_HAVE_INSTRUMENT_BEFORE_AFTER
#define instrument_copy_from_user_before(to, from, n) \
	instrument_copy_from_user(to, from, n)
#define instrument_copy_from_user_after(to, from, n, left) do { } while (0)
#endif

#if !ABUSE_HAVE_KMAP_LOCAL
#define kmap_local_page(page)	kmap_atomic(page)
#define kunmap_local(addr)	kunmap_atomic(addr)
#endif

/* Before 5.1, as in Enterprise Linux 8, no piece of a bio is longer than a page. */
#ifndef rq_for_each_bvec
#define rq_for_each_bvec(bv, rq, iter) rq_for_each_segment(bv, rq, iter)
#endif
#ifndef bio_for_each_bvec
#define bio_for_each_bvec(bv, bio, iter) bio_for_each_segment(bv, bio, iter)
#endif
#ifndef mp_bvec_iter_offset
#define mp_bvec_iter_offset(bvec, iter) bvec_iter_offset(bvec, iter)
#endif
#if !ABUSE_HAVE_REQ_BVEC
#define req_bvec(rq) bio_iter_iovec((rq)->bio, (rq)->bio->bi_iter)
#endif

/*
 * As much of a request at a time as one mapping shows: where memory is mapped, or
 * its cache flushed, a page.
 */
#if defined(CONFIG_HIGHMEM) || defined(CONFIG_KMAP_LOCAL) || \
	ARCH_IMPLEMENTS_FLUSH_DCACHE_PAGE
#define abuse_rq_for_each_piece(bv, rq, iter) rq_for_each_segment(bv, rq, iter)
#define abuse_is_one_piece(bv) ((bv)->bv_offset + (bv)->bv_len <= PAGE_SIZE)
#else
#define abuse_rq_for_each_piece(bv, rq, iter) rq_for_each_bvec(bv, rq, iter)
#define abuse_is_one_piece(bv) true
#endif

/* ---- The shape of callbacks ------------------------------------------------ */

/* Each stands after the word static and before the function's body. */

#if ABUSE_HAVE_TIMEOUT
#define ABUSE_TIMEOUT_FN(name, rq) \
	enum blk_eh_timer_return name(struct request *rq)
#else
#define ABUSE_TIMEOUT_FN(name, rq) \
	enum blk_eh_timer_return name(struct request *rq, bool compat_reserved)
#endif

/* Polled I/O (polled.c): maps of queues and operations. */
#if ABUSE_HAVE_POLL_FEATURE
#define ABUSE_QUEUE_MAPS HCTX_MAX_TYPES
#define ABUSE_POLL_OPS(map_queues_fn, poll_fn) \
	.map_queues = map_queues_fn, .poll = poll_fn,
#else
#define BLK_FEAT_POLL 0
#define ABUSE_QUEUE_MAPS 1
#define ABUSE_POLL_OPS(map_queues_fn, poll_fn)
#define abuse_start_request(rq) blk_mq_start_request(rq)
#endif

/* ---- Requests in bulk --------------------------------------------------------- */

/*
 * A whole plug at once, where the kernel offers it: ABUSE_QUEUE_RQS() is the
 * entry of the table of operations. Requests that are left on the list come one by one.
 */
#if !ABUSE_HAVE_RQ_LIST
struct rq_list {
	struct request *head;
	struct request *tail;
};

#if ABUSE_HAVE_QUEUE_RQS
#define compat_rq_next(rq) ((rq)->rq_next)
#else
#define compat_rq_next(rq) (*(struct request **)&(rq)->queuelist)
#endif

static inline struct request *compat_rq_list_pop(struct rq_list *list)
{
	struct request *rq = list->head;

	if (rq)
		list->head = compat_rq_next(rq);
	return rq;
}

static inline void compat_rq_list_add_tail(struct rq_list *list,
					   struct request *rq)
{
	compat_rq_next(rq) = NULL;
	if (list->head)
		compat_rq_next(list->tail) = rq;
	else
		list->head = rq;
	list->tail = rq;
}

#undef rq_list_peek
#undef rq_list_pop
#undef rq_list_add_tail
#define rq_list_peek(list) ((list)->head)
#define rq_list_pop(list) compat_rq_list_pop(list)
#define rq_list_add_tail(list, rq) compat_rq_list_add_tail(list, rq)
#endif

#if !ABUSE_HAVE_QUEUE_RQS
#define ABUSE_QUEUE_RQS_FN(name, list) void __maybe_unused name(struct rq_list *list)
#define ABUSE_QUEUE_RQS(name)
#elif ABUSE_HAVE_RQ_LIST
#define ABUSE_QUEUE_RQS_FN(name, list) void name(struct rq_list *list)
#define ABUSE_QUEUE_RQS(name) .queue_rqs = name,
#else
/* Such a list begins with the request that was submitted last. */
static inline struct rq_list compat_rq_list_reverse(struct request *rq)
{
	struct rq_list list = { .tail = rq };
	struct request *next;

	for (; rq; rq = next) {
		next = compat_rq_next(rq);
		compat_rq_next(rq) = list.head;
		list.head = rq;
	}
	return list;
}

#define ABUSE_QUEUE_RQS_FN(name, list)					\
	void name##_list(struct rq_list *list);				\
	static void name(struct request **compat_rqs)			\
	{								\
		struct rq_list compat_list =				\
			compat_rq_list_reverse(*compat_rqs);		\
									\
		name##_list(&compat_list);				\
		*compat_rqs = compat_list.head;				\
	}								\
	static void name##_list(struct rq_list *list)
#define ABUSE_QUEUE_RQS(name) .queue_rqs = name,
#endif

/* Kernels between 5.18 and 6.9 have no hints. */
static inline unsigned int abuse_rq_write_hint(const struct request *rq)
{
#if ABUSE_HAVE_BIO_WRITE_HINT
	return rq->bio ? rq->bio->bi_write_hint : 0;
#else
	return 0;
#endif
}

/* Without batches each request is ended by itself. */
#if !ABUSE_HAVE_END_REQUEST_BATCH
struct io_comp_batch {
	void (*complete)(struct io_comp_batch *batch);
};

static inline void blk_mq_end_request_batch(struct io_comp_batch *batch)
{
}

static inline bool blk_mq_add_to_batch(struct request *rq,
		struct io_comp_batch *batch, bool is_error,
		void (*complete)(struct io_comp_batch *batch))
{
	return false;
}
#endif

#if ABUSE_HAVE_OPEN_DISK
#define ABUSE_BLK_OPEN(name, disk, mode) \
	int name(struct gendisk *disk, blk_mode_t mode)
#else
typedef fmode_t blk_mode_t;
#define BLK_OPEN_READ	FMODE_READ
#define BLK_OPEN_WRITE	FMODE_WRITE
#define BLK_OPEN_EXCL	FMODE_EXCL
/* The body follows the macro, so the kernel's function goes first. */
#define ABUSE_BLK_OPEN(name, disk, mode)				\
	int name##_disk(struct gendisk *disk, blk_mode_t mode);		\
	static int name(struct block_device *compat_bdev,		\
			blk_mode_t compat_mode)				\
	{								\
		return name##_disk(compat_bdev->bd_disk, compat_mode);	\
	}								\
	static int name##_disk(struct gendisk *disk, blk_mode_t mode)
#endif

#if ABUSE_HAVE_RELEASE_DISK
#define ABUSE_BLK_RELEASE(name, disk) \
	void name(struct gendisk *disk)
#else
#define ABUSE_BLK_RELEASE(name, disk) \
	void name(struct gendisk *disk, fmode_t compat_mode)
#endif

#if ABUSE_HAVE_LIST_SORT_CONST
#define ABUSE_LIST_CMP(name, a, b) \
	int name(void *compat_data, const struct list_head *a, \
		 const struct list_head *b)
#else
#define ABUSE_LIST_CMP(name, a, b) \
	int name(void *compat_data, struct list_head *a, struct list_head *b)
#endif

#if ABUSE_HAVE_DEVNODE_CONST
#define ABUSE_DEVNODE(name, dev, mode, uid, gid) \
	char *name(const struct device *dev, umode_t *mode, \
		   kuid_t *uid, kgid_t *gid)
#else
#define ABUSE_DEVNODE(name, dev, mode, uid, gid) \
	char *name(struct device *dev, umode_t *mode, \
		   kuid_t *uid, kgid_t *gid)
#endif

#if !ABUSE_HAVE_CLASS_CREATE
static inline struct class *compat_class_create(const char *name)
{
	return class_create(THIS_MODULE, name);
}

#undef class_create
#define class_create(name) compat_class_create(name)
#endif

/* ---- The whole disk's block_device ------------------------------------------ */

/*
 * Up to 5.10 it comes and goes: its user holds a reference, and
 * there is none once the disk was deleted.
 */
#if ABUSE_HAVE_PART0_BDEV
static inline struct block_device *compat_get_bdev(struct gendisk *disk)
{
	return disk->part0;
}

static inline void compat_put_bdev(struct block_device *bdev)
{
}
#else
static inline struct block_device *compat_get_bdev(struct gendisk *disk)
{
	return bdget_disk(disk, 0);
}

static inline void compat_put_bdev(struct block_device *bdev)
{
	bdput(bdev);
}

/*
 * The kernel's own function, where there is one, may write dirty pages back and
 * wait for a filesystem; this one does not, as later kernels.
 */
static inline bool compat_set_capacity_and_notify(struct gendisk *disk,
						  sector_t size)
{
	char *envp[] = { "RESIZE=1", NULL };
	sector_t capacity = get_capacity(disk);
	struct block_device *bdev;

	set_capacity(disk, size);
	bdev = compat_get_bdev(disk);
	if (bdev) {
		bd_set_nr_sectors(bdev, size);
		compat_put_bdev(bdev);
	}
	if (size == capacity || !(disk->flags & GENHD_FL_UP))
		return false;
	pr_info("%s: detected capacity change from %llu to %llu\n",
		disk->disk_name, (u64)capacity, (u64)size);
	if (!capacity || !size)
		return false;
	kobject_uevent_env(&disk_to_dev(disk)->kobj, KOBJ_CHANGE, envp);
	return true;
}

#define set_capacity_and_notify(disk, size) \
	compat_set_capacity_and_notify(disk, size)
#endif

#if ABUSE_HAVE_DISK_BDI
static inline struct backing_dev_info *abuse_disk_bdi(struct gendisk *disk)
{
	return disk->bdi;
}
#else
static inline struct backing_dev_info *abuse_disk_bdi(struct gendisk *disk)
{
	return disk->queue->backing_dev_info;
}
#endif

/*
 * At most that share of the dirty pages may be this disk's, and that holds even
 * while there are few in all. Call it before the disk is added.
 */
static inline int abuse_disk_limit_dirty(struct gendisk *disk,
					 unsigned int percent)
{
	struct backing_dev_info *bdi = abuse_disk_bdi(disk);

	bdi->capabilities |= BDI_CAP_STRICTLIMIT;
	return bdi_set_max_ratio(bdi, percent);
}

/* ---- Limits of a queue -------------------------------------------------------- */

#if ABUSE_HAVE_LIMIT_FEATURES

#if !ABUSE_HAVE_COMMIT_UPDATE_FROZEN
static inline int queue_limits_commit_update_frozen(struct request_queue *q,
						    struct queue_limits *lim)
{
	int ret;

	blk_mq_freeze_queue(q);
	ret = queue_limits_commit_update(q, lim);
	blk_mq_unfreeze_queue(q);
	return ret;
}
#endif

#else /* the queue has setters, and features are flags of the queue */

typedef unsigned int blk_features_t;
#define BLK_FEAT_WRITE_CACHE	(1U << 0)
#define BLK_FEAT_FUA		(1U << 1)
#define BLK_FEAT_ROTATIONAL	(1U << 2)

/* The members that this driver sets; 0 means the default, as in later kernels. */
struct compat_queue_limits {
	blk_features_t features;
	unsigned long seg_boundary_mask;
	unsigned int max_hw_sectors;
	unsigned int chunk_sectors;
	unsigned int max_segment_size;
	unsigned int physical_block_size;
	unsigned int logical_block_size;
	unsigned int io_min;
	unsigned int io_opt;
	unsigned int max_hw_discard_sectors;
	unsigned int max_write_zeroes_sectors;
	unsigned int discard_granularity;
	unsigned short max_segments;
	unsigned short max_discard_segments;
	unsigned int dma_alignment;
};

static inline void compat_queue_flag(struct request_queue *q, unsigned int flag,
				     bool set)
{
	if (set)
		blk_queue_flag_set(flag, q);
	else
		blk_queue_flag_clear(flag, q);
}

static inline struct compat_queue_limits
compat_limits_start(struct request_queue *q)
{
	struct compat_queue_limits lim = {
		.seg_boundary_mask = q->limits.seg_boundary_mask,
		.max_hw_sectors = q->limits.max_hw_sectors,
		.chunk_sectors = q->limits.chunk_sectors,
		.max_segment_size = q->limits.max_segment_size,
		.physical_block_size = q->limits.physical_block_size,
		.logical_block_size = q->limits.logical_block_size,
		.io_min = q->limits.io_min,
		.io_opt = q->limits.io_opt,
		.max_hw_discard_sectors = q->limits.max_hw_discard_sectors,
		.max_write_zeroes_sectors = q->limits.max_write_zeroes_sectors,
		.discard_granularity = q->limits.discard_granularity,
		.max_segments = q->limits.max_segments,
		.max_discard_segments = q->limits.max_discard_segments,
		.dma_alignment = queue_dma_alignment(q),
	};

	if (test_bit(QUEUE_FLAG_WC, &q->queue_flags))
		lim.features |= BLK_FEAT_WRITE_CACHE;
	if (test_bit(QUEUE_FLAG_FUA, &q->queue_flags))
		lim.features |= BLK_FEAT_FUA;
	if (!blk_queue_nonrot(q))
		lim.features |= BLK_FEAT_ROTATIONAL;
	return lim;
}

#if ABUSE_HAVE_LIMITS_UPDATE
/* 6.9 and 6.10: the limits change as a whole, and the kernel fills in what is 0. */
static inline int compat_limits_set(struct request_queue *q,
				    const struct compat_queue_limits *lim)
{
	struct queue_limits own = queue_limits_start_update(q);

	own.seg_boundary_mask = lim->seg_boundary_mask;
	own.max_hw_sectors = lim->max_hw_sectors;
	own.chunk_sectors = lim->chunk_sectors;
	own.max_segment_size = lim->max_segment_size;
	own.physical_block_size = lim->physical_block_size;
	own.logical_block_size = lim->logical_block_size;
	own.io_min = lim->io_min;
	own.io_opt = lim->io_opt;
	own.max_hw_discard_sectors = lim->max_hw_discard_sectors;
	own.max_write_zeroes_sectors = lim->max_write_zeroes_sectors;
	own.discard_granularity = lim->discard_granularity;
	own.max_segments = lim->max_segments;
	own.max_discard_segments = lim->max_discard_segments;
	own.dma_alignment = lim->dma_alignment;
	return queue_limits_commit_update(q, &own);
}
#else
/*
 * The setters correct each other's values upwards only, so the block sizes go
 * first, smallest first, and max_hw_sectors, which is rounded to them, last.
 */
static inline int compat_limits_set(struct request_queue *q,
				    const struct compat_queue_limits *lim)
{
	unsigned int logical = lim->logical_block_size ?: SECTOR_SIZE;
	unsigned int physical = max(lim->physical_block_size, logical);

	blk_queue_logical_block_size(q, logical);
	blk_queue_physical_block_size(q, physical);
	blk_queue_io_min(q, max(lim->io_min, physical));
	blk_queue_io_opt(q, round_down(lim->io_opt, physical));
	blk_queue_max_segments(q, lim->max_segments ?: BLK_MAX_SEGMENTS);
	blk_queue_max_segment_size(q, lim->max_segment_size ?:
				   BLK_MAX_SEGMENT_SIZE);
	blk_queue_segment_boundary(q, lim->seg_boundary_mask ?:
				   BLK_SEG_BOUNDARY_MASK);
	blk_queue_dma_alignment(q, lim->dma_alignment ?: SECTOR_SIZE - 1);
	blk_queue_chunk_sectors(q, lim->chunk_sectors);
	blk_queue_max_hw_sectors(q, lim->max_hw_sectors ?:
				 BLK_SAFE_MAX_SECTORS);

	blk_queue_max_discard_sectors(q, lim->max_hw_discard_sectors);
	blk_queue_max_discard_segments(q, lim->max_discard_segments ?: 1);
	q->limits.discard_granularity = lim->max_hw_discard_sectors ?
		max(lim->discard_granularity, physical) : 0;
#ifdef QUEUE_FLAG_DISCARD
	compat_queue_flag(q, QUEUE_FLAG_DISCARD, lim->max_hw_discard_sectors);
#endif
	blk_queue_max_write_zeroes_sectors(q, lim->max_write_zeroes_sectors);
	return 0;
}
#endif

static inline int compat_limits_apply(struct request_queue *q,
				      const struct compat_queue_limits *lim)
{
	bool cache = lim->features & BLK_FEAT_WRITE_CACHE;
	int ret = compat_limits_set(q, lim);

	if (ret)
		return ret;
	compat_queue_flag(q, QUEUE_FLAG_NONROT,
			  !(lim->features & BLK_FEAT_ROTATIONAL));
	blk_queue_write_cache(q, cache, cache &&
			      (lim->features & BLK_FEAT_FUA));
	return 0;
}

static inline int compat_limits_commit(struct request_queue *q,
				       const struct compat_queue_limits *lim)
{
	int ret;

	blk_mq_freeze_queue(q);
	ret = compat_limits_apply(q, lim);
	blk_mq_unfreeze_queue(q);
	return ret;
}

/* No header that comes after this one may speak of the kernel's own. */
#define queue_limits compat_queue_limits
#define queue_limits_start_update(q) compat_limits_start(q)
#define queue_limits_commit_update_frozen(q, lim) compat_limits_commit(q, lim)

#endif /* ABUSE_HAVE_LIMIT_FEATURES */

/* Writes of min to max bytes, powers of two, are atomic; 0 and 0: none is. */
static inline void abuse_limits_atomic(struct queue_limits *lim,
				       unsigned int min, unsigned int max)
{
#if ABUSE_HAVE_ATOMIC_WRITES
	lim->features &= ~BLK_FEAT_ATOMIC_WRITES;
	if (max)
		lim->features |= BLK_FEAT_ATOMIC_WRITES;
	lim->atomic_write_hw_unit_min = min;
	lim->atomic_write_hw_unit_max = max;
	lim->atomic_write_hw_max = max;
	lim->atomic_write_hw_boundary = 0;
#endif
}

/* The most that zeroing with unmap may cover: as much as zeroing may, or nothing. */
static inline void abuse_limits_wzeroes_unmap(struct queue_limits *lim, bool can)
{
#if ABUSE_HAVE_WZEROES_UNMAP
	lim->max_hw_wzeroes_unmap_sectors = can ?
		lim->max_write_zeroes_sectors : 0;
#endif
}

/* ---- Birth and death of a disk -------------------------------------------------- */

/* Before 5.14 queue and disk are made and ended one by one. */
#if !ABUSE_HAVE_ALLOC_DISK
static inline struct gendisk *compat_alloc_disk(struct blk_mq_tag_set *set,
						void *data, int minors)
{
	struct request_queue *q = blk_mq_init_queue_data(set, data);
	struct gendisk *disk;

	if (IS_ERR(q))
		return ERR_CAST(q);
	disk = alloc_disk(minors);
	if (!disk) {
		blk_cleanup_queue(q);
		return ERR_PTR(-ENOMEM);
	}
	disk->queue = q;
	return disk;
}
#endif

/*
 * After del_gendisk(), or instead of it if the disk was never added. The queue has left the
 * tag set when this returns, whoever may still refer to the disk. Before 6.0 put_disk()
 * alone does not do that: it is blk_cleanup_disk() that ends the queue.
 */
static inline void abuse_put_disk(struct gendisk *disk)
{
#if ABUSE_HAVE_CLEANUP_DISK
	blk_cleanup_disk(disk);
#else
#if !ABUSE_HAVE_ALLOC_DISK
	blk_cleanup_queue(disk->queue);
	/* Only adding the disk gave it a reference of its own to the queue. */
	if (!disk_to_dev(disk)->devt)
		disk->queue = NULL;
#endif
	put_disk(disk);
#endif
}

/*
 * A disk with its queue, or an ERR_PTR. major, first_minor and name are the
 * caller's to set; minors includes the whole disk. 0: the kernel chooses the numbers.
 */
static inline struct gendisk *abuse_alloc_disk(struct blk_mq_tag_set *set,
					       struct queue_limits *lim,
					       void *data, int minors)
{
	struct gendisk *disk;
#if !ABUSE_HAVE_LIMIT_FEATURES
	int ret;
#endif

#if ABUSE_HAVE_LIMIT_FEATURES
	disk = blk_mq_alloc_disk(set, lim, data);
#elif ABUSE_HAVE_ALLOC_DISK_LIMITS
	disk = blk_mq_alloc_disk(set, NULL, data);
#elif ABUSE_HAVE_ALLOC_DISK
	disk = blk_mq_alloc_disk(set, data);
#else
	disk = compat_alloc_disk(set, data, minors);
#endif
	if (IS_ERR(disk))
		return disk;
	disk->minors = minors;
#if !ABUSE_HAVE_LIMIT_FEATURES
	ret = compat_limits_apply(disk->queue, lim);
	if (ret) {
		abuse_put_disk(disk);
		return ERR_PTR(ret);
	}
#endif
#if ABUSE_HAVE_EXT_DEVT
	/* Later kernels do so for every disk. */
	disk->flags |= GENHD_FL_EXT_DEVT;
#endif
	return disk;
}

/* Adds the disk without a scheduler, and reports failure, if the kernel does. */
static inline int abuse_add_disk(struct device *parent, struct gendisk *disk)
{
	int ret = 0;
#if !ABUSE_HAVE_NO_SCHED_BY_DEFAULT
	struct blk_mq_tag_set *set = disk->queue->tag_set;

	/* Only the choice of the first scheduler looks at this. */
	set->flags |= BLK_MQ_F_NO_SCHED;
#endif
#if ABUSE_HAVE_ADD_DISK_ERROR
	ret = device_add_disk(parent, disk, NULL);
#else
	device_add_disk(parent, disk, NULL);
#endif
#if !ABUSE_HAVE_NO_SCHED_BY_DEFAULT
	set->flags &= ~BLK_MQ_F_NO_SCHED;
#endif
	return ret;
}

/* ---- The last close of a file --------------------------------------------------- */

/*
 * Exported from 5.19 on and by most stable releases of older kernels. On others it is
 * NULL, as a weak symbol that is not there, and the file is closed by the work item that
 * all kernel threads share. For kernel threads alone.
 */
#pragma weak __fput_sync

static inline bool abuse_has_fput_sync(void)
{
	return __fput_sync;
}

static inline void abuse_fput_sync(struct file *file)
{
	if (abuse_has_fput_sync())
		__fput_sync(file);
	else
		fput(file);
}

/* ---- Openers, holders, partitions ------------------------------------------------- */

static inline struct mutex *compat_open_lock(struct gendisk *disk,
					     struct block_device *bdev)
{
#if ABUSE_HAVE_OPEN_MUTEX
	return &disk->open_mutex;
#else
	return &bdev->bd_mutex;
#endif
}

#if !ABUSE_HAVE_DISK_OPENERS
static inline unsigned int disk_openers(struct gendisk *disk)
{
	struct block_device *bdev = compat_get_bdev(disk);
	unsigned int openers = 0;

	if (bdev) {
		openers = READ_ONCE(bdev->bd_openers);
		compat_put_bdev(bdev);
	}
	return openers;
}
#endif

/* Whether somebody has claimed the disk or a partition: a hint. */
static inline bool abuse_disk_has_holder(struct gendisk *disk)
{
	struct block_device *bdev = compat_get_bdev(disk);
	bool held = false;

	if (bdev) {
		held = READ_ONCE(bdev->bd_holder);
		compat_put_bdev(bdev);
	}
	return held;
}

/*
 * Keeps everybody else from claiming the disk or a partition, or -EBUSY. It waits
 * for others that are about to claim, and so may they. Sleeps.
 */
static inline int abuse_claim_disk(struct gendisk *disk, void *holder)
{
	struct block_device *bdev = compat_get_bdev(disk);
	int ret;

	if (!bdev)
		return -ENXIO;
#if ABUSE_HAVE_CLAIM_HOPS
	ret = bd_prepare_to_claim(bdev, holder, NULL);
#elif ABUSE_HAVE_CLAIM
	ret = bd_prepare_to_claim(bdev, holder);
#else
	ret = bd_prepare_to_claim(bdev, bdev, holder);
	/* A claim is the block_device's: the reference goes with it. */
	if (!ret)
		return 0;
#endif
	compat_put_bdev(bdev);
	return ret;
}

static inline void abuse_unclaim_disk(struct gendisk *disk, void *holder)
{
#if ABUSE_HAVE_CLAIM_HOPS || ABUSE_HAVE_CLAIM
	bd_abort_claiming(disk->part0, holder);
#else
	struct block_device *bdev = compat_get_bdev(disk);

	if (WARN_ON_ONCE(!bdev))
		return;
	bd_abort_claiming(bdev, bdev, holder);
	compat_put_bdev(bdev);	/* ours of just now */
	compat_put_bdev(bdev);	/* the claim's */
#endif
}

/* Called under the open lock. */
static inline int compat_disk_changed(struct gendisk *disk,
				      struct block_device *bdev, bool invalidate)
{
#if ABUSE_HAVE_DISK_CHANGED
	return bdev_disk_changed(disk, invalidate);
#elif ABUSE_HAVE_PART0_BDEV
	return bdev_disk_changed(bdev, invalidate);
#else
	int no_scan = disk->flags & GENHD_FL_NO_PART_SCAN;
	bool opened = bdev->bd_disk;
	int ret;

	/*
	 * A difference in size would make the kernel sync and invalidate more. Enterprise
	 * Linux 8 drops nothing where scans are off; without sectors there is none.
	 */
	if (invalidate) {
		set_capacity(disk, 0);
		disk->flags &= ~GENHD_FL_NO_PART_SCAN;
	}
	bd_set_nr_sectors(bdev, get_capacity(disk));
	/* Set while it is open only, but partitions may be there without. */
	bdev->bd_disk = disk;
	ret = bdev_disk_changed(bdev, invalidate);
	if (!opened)
		bdev->bd_disk = NULL;
	disk->flags |= no_scan;
	return ret;
#endif
}

/*
 * Drops the partitions and, unless scans are off, reads the table again. With
 * invalidate the capacity becomes 0, nothing is read, and a change event sent.
 * Takes the open lock. -EBUSY: a partition is open.
 */
static inline int abuse_disk_changed(struct gendisk *disk, bool invalidate)
{
	struct block_device *bdev = compat_get_bdev(disk);
	struct mutex *lock;
	int ret;

	if (!bdev)
		return -ENXIO;
	lock = compat_open_lock(disk, bdev);
	mutex_lock(lock);
	ret = compat_disk_changed(disk, bdev, invalidate);
	mutex_unlock(lock);
	compat_put_bdev(bdev);
	return ret;
}

/*
 * The whole disk opened for reading, or an ERR_PTR. The type of an open disk has changed from
 * version to version.
 */
#if ABUSE_HAVE_FILE_OPEN
typedef struct file compat_opened;

static inline compat_opened *compat_open_disk(dev_t dev)
{
	return bdev_file_open_by_dev(dev, BLK_OPEN_READ, NULL, NULL);
}

static inline void compat_close_disk(compat_opened *opened)
{
	abuse_fput_sync(opened);
}
#elif ABUSE_HAVE_OPEN_HANDLE
typedef struct bdev_handle compat_opened;

static inline compat_opened *compat_open_disk(dev_t dev)
{
	return bdev_open_by_dev(dev, BLK_OPEN_READ, NULL, NULL);
}

static inline void compat_close_disk(compat_opened *opened)
{
	bdev_release(opened);
}
#else
typedef struct block_device compat_opened;

static inline compat_opened *compat_open_disk(dev_t dev)
{
#if ABUSE_HAVE_OPEN_HOPS
	return blkdev_get_by_dev(dev, BLK_OPEN_READ, NULL, NULL);
#else
	return blkdev_get_by_dev(dev, BLK_OPEN_READ, NULL);
#endif
}

static inline void compat_close_disk(compat_opened *opened)
{
#if ABUSE_HAVE_PUT_HOLDER
	blkdev_put(opened, NULL);
#else
	blkdev_put(opened, BLK_OPEN_READ);
#endif
}
#endif

/*
 * Reads the partition table, once. It does I/O on the disk and opens it: for
 * kernel threads only, where closing is done before this returns.
 * -EBUSY: the disk is claimed, or a partition is open.
 */
static inline int abuse_disk_scan(struct gendisk *disk)
{
	compat_opened *opened;
	int ret;

	ret = abuse_claim_disk(disk, disk);
	if (ret)
		return ret;
	/* Else opening would read it too. */
	clear_bit(GD_NEED_PART_SCAN, &disk->state);
	opened = compat_open_disk(disk_devt(disk));
	if (IS_ERR(opened)) {
		ret = PTR_ERR(opened);
	} else {
		ret = abuse_disk_changed(disk, false);
		compat_close_disk(opened);
	}
	abuse_unclaim_disk(disk, disk);
	return ret;
}

/*
 * Whether opening it and BLKRRPART are to leave the partition table alone. Stable releases of
 * 5.15 have one flag for that and for refusing partitions by BLKPG, too.
 */
static inline void abuse_disk_suppress_scan(struct gendisk *disk, bool suppress)
{
#if ABUSE_HAVE_SUPPRESS_SCAN
	if (suppress)
		set_bit(GD_SUPPRESS_PART_SCAN, &disk->state);
	else
		clear_bit(GD_SUPPRESS_PART_SCAN, &disk->state);
#else
#if ABUSE_HAVE_NO_PART
	unsigned int flag = GENHD_FL_NO_PART;
#else
	unsigned int flag = GENHD_FL_NO_PART_SCAN;
#endif

	if (suppress)
		disk->flags |= flag;
	else
		disk->flags &= ~flag;
#endif
}

/* ---- Another medium --------------------------------------------------------------- */

static inline struct address_space *compat_bdev_mapping(struct block_device *bdev)
{
#if ABUSE_HAVE_BDEV_MAPPING
	return bdev->bd_mapping;
#else
	return bdev->bd_inode->i_mapping;
#endif
}

/*
 * Drops the whole disk's pages from the page cache, written or not, mapped or not. If that loses
 * a write, fsync() reports EIO on descriptors that are open now, and not on later ones.
 * It waits for I/O of these pages, so that has to end by itself. Sleeps.
 */
static inline void abuse_disk_drop_pages(struct gendisk *disk)
{
	struct block_device *bdev = compat_get_bdev(disk);
	struct address_space *mapping;
	errseq_t seen = 0;

	if (!bdev)
		return;
	mapping = compat_bdev_mapping(bdev);
	if (mapping_tagged(mapping, PAGECACHE_TAG_DIRTY))
		mapping_set_error(mapping, -EIO);
	truncate_inode_pages(mapping, 0);
	/* An error that somebody has seen is not reported to later openers. */
	filemap_check_errors(mapping);
	errseq_check_and_advance(&mapping->wb_err, &seen);
	compat_put_bdev(bdev);
}

/*
 * A new diskseq, but no event and no scan of partitions. Not all kernels that have a diskseq move
 * it here, and no other function that moves it is exported. The kernel sends an event only for
 * disks with disk->events, which ours do not have. Events of the disk must not be suppressed here:
 * `udevadm trigger --settle` would wait without end for one that it made meanwhile.
 */
static inline void abuse_disk_media_change(struct gendisk *disk)
{
#if ABUSE_HAVE_MEDIA_CHANGE_DISK || ABUSE_HAVE_MEDIA_CHANGE
#if ABUSE_HAVE_MEDIA_CHANGE_DISK
	disk_force_media_change(disk);
#else
	disk_force_media_change(disk, DISK_EVENT_MEDIA_CHANGE);
#endif
	clear_bit(GD_NEED_PART_SCAN, &disk->state);
#endif
}

/* ---- Majors --------------------------------------------------------------------- */

#if ABUSE_HAVE_BLKDEV_PROBE
/* The major, or an error; major 0 takes a free one. probe makes what is missing. */
static inline int abuse_register_blkdev(unsigned int major, const char *name,
					void (*probe)(dev_t))
{
	int ret = __register_blkdev(major, name, probe);

	return ret < 0 || !major ? ret : major;
}

static inline void abuse_unregister_blkdev(unsigned int major, const char *name)
{
	unregister_blkdev(major, name);
}
#else
/* Having found nothing the caller looks again, now for the disk itself. */
static inline struct kobject *compat_blkdev_probe(dev_t dev, int *part,
						  void *data)
{
	void (*probe)(dev_t) = data;

	probe(dev);
	return NULL;
}

static inline int abuse_register_blkdev(unsigned int major, const char *name,
					void (*probe)(dev_t))
{
	int ret = register_blkdev(major, name);

	if (ret < 0)
		return ret;
	if (!major)
		major = ret;
	blk_register_region(MKDEV(major, 0), 1UL << MINORBITS, THIS_MODULE,
			    compat_blkdev_probe, NULL, probe);
	return major;
}

static inline void abuse_unregister_blkdev(unsigned int major, const char *name)
{
	blk_unregister_region(MKDEV(major, 0), 1UL << MINORBITS);
	unregister_blkdev(major, name);
}
#endif

/* ---- Advisory locks ------------------------------------------------------------- */

#if ABUSE_HAVE_FILE_LOCK_CORE
#define ABUSE_FILE_LOCK(lock, member)	((lock)->c.flc_##member)
#define compat_for_each_lock(lock, list) list_for_each_entry(lock, list, c.flc_list)
#else
#define ABUSE_FILE_LOCK(lock, member)	((lock)->fl_##member)
#define compat_for_each_lock(lock, list) list_for_each_entry(lock, list, fl_list)
#endif

/* One of those that have locks through this open file by fcntl(2), or NULL. */
static inline fl_owner_t abuse_posix_lock_owner(struct file *file)
{
	fl_owner_t owner = NULL;
#ifdef CONFIG_FILE_LOCKING
	struct file_lock_context *ctx =
		smp_load_acquire(&file_inode(file)->i_flctx);
	struct file_lock *lock;

	if (!ctx)
		return NULL;
	spin_lock(&ctx->flc_lock);
	compat_for_each_lock(lock, &ctx->flc_posix) {
		if (ABUSE_FILE_LOCK(lock, file) == file) {
			owner = ABUSE_FILE_LOCK(lock, owner);
			break;
		}
	}
	spin_unlock(&ctx->flc_lock);
#endif
	return owner;
}

/* ---- Server memory ---------------------------------------------------------------- */

/*
 * Makes user memory accessible without changing it; returns how many bytes at its
 * end are not. Ends early when the process is killed. Sleeps, takes mmap_lock.
 */
#if ABUSE_HAVE_FAULT_IN
static inline size_t abuse_fault_in(void __user *addr, size_t len, bool write)
{
	return write ? fault_in_safe_writeable(addr, len) :
		       fault_in_readable(addr, len);
}
#else
static inline size_t abuse_fault_in(void __user *addr, size_t len, bool write)
{
	struct mm_struct *mm = current->mm;
	bool unlocked = false;
	size_t step;
	int ret;

	while (len) {
		step = min_t(size_t, len, PAGE_SIZE - offset_in_page(addr));
		if (write) {
			mmap_read_lock(mm);
			ret = fixup_user_fault(mm, (unsigned long)addr,
					       FAULT_FLAG_WRITE, &unlocked);
			mmap_read_unlock(mm);
		} else {
			ret = fault_in_pages_readable(addr, step);
		}
		if (ret)
			break;
		addr += step;
		len -= step;
	}
	return len;
}
#endif

/* ---- I/O on files --------------------------------------------------------------- */

#if ABUSE_HAVE_WQ_PERCPU
#define ABUSE_WQ_PERCPU	WQ_PERCPU
#else
#define ABUSE_WQ_PERCPU	0
#endif

#if ABUSE_HAVE_KI_COMPLETE
#define ABUSE_KI_COMPLETE(name, iocb, ret) \
	void name(struct kiocb *iocb, long ret)
#else
#define ABUSE_KI_COMPLETE(name, iocb, ret) \
	void name(struct kiocb *iocb, long ret, long compat_more)
#endif

#if ABUSE_HAVE_KIOCB_WRITE
static inline void compat_kiocb_start_write(struct kiocb *iocb)
{
	kiocb_start_write(iocb);
}

static inline void compat_kiocb_end_write(struct kiocb *iocb)
{
	kiocb_end_write(iocb);
}
#else
/* To lockdep who starts need not be who ends. */
static inline void compat_kiocb_start_write(struct kiocb *iocb)
{
	struct super_block *sb = file_inode(iocb->ki_filp)->i_sb;

	sb_start_write(sb);
	__sb_writers_release(sb, SB_FREEZE_WRITE);
}

static inline void compat_kiocb_end_write(struct kiocb *iocb)
{
	struct super_block *sb = file_inode(iocb->ki_filp)->i_sb;

	__sb_writers_acquired(sb, SB_FREEZE_WRITE);
	sb_end_write(sb);
}
#endif

/*
 * Keeps its file system from freezing until the write has ended, in any context. Where the
 * kernel starts that itself it does so for every file.
 */
static inline void abuse_iocb_end_write(struct kiocb *iocb)
{
	if (ABUSE_HAVE_IOCB_WRITE_STARTS ||
	    S_ISREG(file_inode(iocb->ki_filp)->i_mode))
		compat_kiocb_end_write(iocb);
}

/* -EIOCBQUEUED: ki_complete() is called, and does abuse_iocb_end_write(). */
static inline ssize_t abuse_iocb_write(struct file *file, struct kiocb *iocb,
				       struct iov_iter *from)
{
#if ABUSE_HAVE_IOCB_WRITE_STARTS
	return vfs_iocb_iter_write(file, iocb, from);
#else
	ssize_t ret;

	if (S_ISREG(file_inode(file)->i_mode))
		compat_kiocb_start_write(iocb);
	ret = vfs_iocb_iter_write(file, iocb, from);
	if (ret != -EIOCBQUEUED)
		abuse_iocb_end_write(iocb);
	return ret;
#endif
}

/* ---- The page cache of a file ----------------------------------------------------- */

#if !ABUSE_HAVE_FOLIO
/* A page at a time. It may be one of a larger one, of which the first has the state. */
#define folio page
#define filemap_get_folio(mapping, index)	find_get_page(mapping, index)
#define folio_test_uptodate(folio)		PageUptodate(folio)
#define folio_test_readahead(folio)		PageReadahead(compound_head(folio))
#define folio_test_writeback(folio)		PageWriteback(compound_head(folio))
#define folio_test_hwpoison(folio)		PageHWPoison(folio)
#define folio_test_has_hwpoisoned(folio)	false
#define folio_test_large(folio)			false
#define folio_mark_accessed(folio)		mark_page_accessed(folio)
#define folio_put(folio)			put_page(folio)
#define folio_size(folio)			PAGE_SIZE
#define offset_in_folio(folio, pos)		((size_t)(pos) & ~PAGE_MASK)
#define kmap_local_folio(folio, offset)		(kmap_local_page(folio) + (offset))
#define abuse_folio_mapping(folio)		READ_ONCE(compound_head(folio)->mapping)
#define abuse_folio_flush_dcache(folio)		flush_dcache_page(folio)
#else
#define abuse_folio_mapping(folio)		READ_ONCE((folio)->mapping)
#define abuse_folio_flush_dcache(folio)		flush_dcache_folio(folio)
#endif

/* How many bytes one mapping of it shows from that offset on. */
#if defined(CONFIG_HIGHMEM) || defined(CONFIG_KMAP_LOCAL)
#define abuse_folio_reach(folio, offset)	(PAGE_SIZE - offset_in_page(offset))
#else
#define abuse_folio_reach(folio, offset)	(folio_size(folio) - (offset))
#endif

/* Whether the file takes IOCB_DIRECT. Up to 5.19 that is a member of its mapping alone. */
static inline bool abuse_file_can_bypass_cache(const struct file *file)
{
#ifdef FMODE_CAN_ODIRECT
	return file->f_mode & FMODE_CAN_ODIRECT;
#else
	return file->f_mapping->a_ops->direct_IO;
#endif
}

/*
 * Whether reading the file may need a permission of fanotify's listeners. Before 6.10 there
 * is but the number of all marks on the file system and its mounts.
 */
static inline bool abuse_file_may_be_watched(const struct file *file)
{
#if !IS_ENABLED(CONFIG_FANOTIFY_ACCESS_PERMISSIONS)
	return false;
#elif ABUSE_HAVE_PRIORITY_WATCHERS
	return fsnotify_sb_has_priority_watchers(file->f_path.dentry->d_sb,
						 FSNOTIFY_PRIO_CONTENT);
#elif ABUSE_HAVE_FSNOTIFY_CONNECTORS
	return atomic_long_read(&file->f_path.dentry->d_sb->s_fsnotify_connectors);
#else
	return true;
#endif
}

/* ---- Cgroups ---------------------------------------------------------------------- */

/* The cgroups of a worker, saved while it does another's I/O. */
struct abuse_cgroup {
	struct cgroup_subsys_state *blkcg;
	struct cgroup_subsys_state *memcg;
	struct mem_cgroup *old_memcg;
};

#if IS_ENABLED(CONFIG_MEMCG)
/* Exported from 5.14 on. Else NULL, as a weak symbol, and memory is charged to the worker. */
#pragma weak cgroup_get_e_css

/* set_active_memcg() has a variable for interrupts, which is exported more seldom. */
static inline void compat_memcg_join(struct abuse_cgroup *group)
{
	if (cgroup_get_e_css)
		group->memcg = cgroup_get_e_css(group->blkcg->cgroup,
						&memory_cgrp_subsys);
	if (!group->memcg)
		return;
	group->old_memcg = current->active_memcg;
	current->active_memcg = mem_cgroup_from_css(group->memcg);
}

static inline void compat_memcg_leave(struct abuse_cgroup *group)
{
	if (!group->memcg)
		return;
	current->active_memcg = group->old_memcg;
	css_put(group->memcg);
}
#else
static inline void compat_memcg_join(struct abuse_cgroup *group)
{
}

static inline void compat_memcg_leave(struct abuse_cgroup *group)
{
}
#endif

#if IS_ENABLED(CONFIG_BLK_CGROUP)
static inline struct cgroup_subsys_state *compat_bio_css(struct bio *bio)
{
#if ABUSE_HAVE_BIO_BLKCG_CSS
	return bio_blkcg_css(bio);
#else
	struct blkcg *blkcg = bio_blkcg(bio);

	return blkcg ? &blkcg->css : NULL;
#endif
}

/* The submitter's, unless that is the root's, as a worker's own is. bio may be NULL. */
static inline void abuse_cgroup_join(struct abuse_cgroup *group, struct bio *bio)
{
	*group = (struct abuse_cgroup) {
		.blkcg = bio ? compat_bio_css(bio) : NULL,
	};
	if (group->blkcg && !group->blkcg->parent)
		group->blkcg = NULL;
	if (!group->blkcg)
		return;
	kthread_associate_blkcg(group->blkcg);
	compat_memcg_join(group);
}

static inline void abuse_cgroup_leave(struct abuse_cgroup *group)
{
	if (!group->blkcg)
		return;
	compat_memcg_leave(group);
	kthread_associate_blkcg(NULL);
}
#else
static inline void abuse_cgroup_join(struct abuse_cgroup *group, struct bio *bio)
{
}

static inline void abuse_cgroup_leave(struct abuse_cgroup *group)
{
}
#endif

#endif /* ABUSE_COMPAT_H */
