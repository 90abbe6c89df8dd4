// SPDX-License-Identifier: GPL-2.0-only
// Copyright (C) 2026 the abuse authors
/*
 * The calls MAP and GET_MAP: entries are read, checked as a whole and put into the map; then
 * the call waits for what began under the former ranges.
 */
#include <linux/cred.h>
#include <linux/kdev_t.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/sort.h>
#include <linux/uaccess.h>

#include "abuse.h"

#define ABUSE_MAP_SIZE_1	offsetofend(struct abuse_map, sector)
#define ABUSE_MAP_ENTRY_SIZE_1	offsetofend(struct abuse_map_entry, inode)

/* An entry of the call, and the file that it names. */
struct abuse_mapped {
	struct abuse_map_entry entry;
	struct abuse_target *target;	/* NULL: rights are taken away */
};

/* A call, and the entries in the order of their sectors. */
struct abuse_map_work {
	struct abuse_device *dev;
	struct abuse_server *srv;
	unsigned int n;
	struct abuse_spares spares;
	struct abuse_mapped *entries;
};

static int abuse_map_read_args(struct abuse_map *map, void __user *arg)
{
	int err = abuse_read_sized(map, sizeof(*map), ABUSE_MAP_SIZE_1, arg);

	if (err)
		return err;
	if (map->flags || !map->nr || map->nr > ABUSE_MAX_ENTRIES ||
	    map->entry_size < ABUSE_MAP_ENTRY_SIZE_1 ||
	    map->entry_size > PAGE_SIZE || map->entry_size % 8)
		return -EINVAL;
	return 0;
}

/* ---- one entry ------------------------------------------------------------------------- */

static bool abuse_map_entry_clears(const struct abuse_map_entry *entry)
{
	return entry->flags & ABUSE_MAP_CLEAR;
}

static int abuse_map_entry_check(const struct abuse_map_entry *entry,
				 u64 capacity)
{
	if (entry->flags & ~ABUSE_MAP_CLEAR || entry->reserved ||
	    !entry->rights || entry->rights & ~ABUSE_MAP_RIGHTS ||
	    !entry->sectors || entry->sector >= capacity ||
	    entry->sectors > capacity - entry->sector ||
	    entry->offset % SECTOR_SIZE)
		return -EINVAL;
	if (abuse_map_entry_clears(entry) && (entry->file || entry->offset))
		return -EINVAL;
	return 0;
}

/* Whether a file has that range, was opened for those rights, and may grow so far. */
static int abuse_map_entry_check_file(const struct abuse_map_entry *entry,
				      const struct abuse_target *target)
{
	const struct inode *inode = target->file->f_mapping->host;
	u64 size = i_size_read(inode), length = entry->sectors << SECTOR_SHIFT;
	bool writes = entry->rights & ~ABUSE_MAP_READ;

	if (entry->offset > size || length > size - entry->offset)
		return -EINVAL;
	if ((entry->rights & ABUSE_MAP_READ) &&
	    !(target->file->f_mode & FMODE_READ))
		return -EINVAL;
	if (writes && !(target->file->f_mode & FMODE_WRITE))
		return -EINVAL;
	if (writes && S_ISREG(inode->i_mode) &&
	    entry->offset + length > rlimit(RLIMIT_FSIZE))
		return -EINVAL;
	return 0;
}

static int abuse_map_entry_resolve(struct abuse_server *srv,
				   struct abuse_mapped *mapped)
{
	if (abuse_map_entry_clears(&mapped->entry))
		return 0;
	mapped->target = abuse_target_get(srv, mapped->entry.file);
	if (!mapped->target)
		return -ENOENT;
	return abuse_map_entry_check_file(&mapped->entry, mapped->target);
}

/* ---- all entries of a call ------------------------------------------------------------- */

static int abuse_map_read_entries(struct abuse_map_work *work,
				  const struct abuse_map *map)
{
	const void __user *from = abuse_user_ptr(map->entries);
	unsigned int i;
	int err;

	for (i = 0; i < work->n; i++, from += map->entry_size) {
		err = copy_struct_from_user(&work->entries[i].entry,
					    sizeof(struct abuse_map_entry),
					    from, map->entry_size);
		if (err)
			return err;
	}
	return 0;
}

static int abuse_mapped_order(const void *a, const void *b)
{
	const struct abuse_mapped *x = a, *y = b;

	if (x->entry.sector == y->entry.sector)
		return 0;
	return x->entry.sector < y->entry.sector ? -1 : 1;
}

/* Sorts them. -EINVAL: an entry is wrong, or two of them overlap. */
static int abuse_map_check_entries(struct abuse_map_work *work, u64 capacity)
{
	struct abuse_map_entry *entry, *before = NULL;
	unsigned int i;
	int err;

	for (i = 0; i < work->n; i++) {
		err = abuse_map_entry_check(&work->entries[i].entry, capacity);
		if (err)
			return err;
	}
	sort(work->entries, work->n, sizeof(*work->entries),
	     abuse_mapped_order, NULL);
	for (i = 0; i < work->n; i++, before = entry) {
		entry = &work->entries[i].entry;
		if (before && before->sector + before->sectors > entry->sector)
			return -EINVAL;
	}
	return 0;
}

/* Which files there are, and memory for all that may have to be split. */
static int abuse_map_prepare(struct abuse_map_work *work)
{
	unsigned int i;
	int err;

	for (i = 0; i < work->n; i++) {
		err = abuse_map_entry_resolve(work->srv, &work->entries[i]);
		if (err)
			return err;
	}
	return abuse_spares_alloc(&work->spares, 2 * work->n);
}

static int abuse_map_add_files(struct abuse_map_work *work)
{
	struct abuse_target *target;
	unsigned int i;
	int err = 0;

	for (i = 0; i < work->n && !err; i++) {
		target = work->entries[i].target;
		if (target)
			err = abuse_map_files_add(work->dev, target);
	}
	return err;
}

/* From here on nothing fails. */
static void abuse_map_apply(struct abuse_map_work *work)
{
	struct abuse_mapping *map = work->dev->map;
	unsigned int i;

	for (i = 0; i < work->n; i++) {
		const struct abuse_map_entry *entry = &work->entries[i].entry;

		if (work->entries[i].target)
			abuse_map_set(map, entry, work->entries[i].target,
				      &work->spares);
		else
			abuse_map_clear(map, entry->sector,
					entry->sector + entry->sectors,
					entry->rights, &work->spares);
	}
}

static bool abuse_map_only_clears(const struct abuse_map_work *work)
{
	unsigned int i;

	for (i = 0; i < work->n; i++)
		if (work->entries[i].target)
			return false;
	return true;
}

/* Whether WRITEs that the kernel serves now may have to go to servers. */
static bool abuse_map_ends_writes(const struct abuse_map_work *work)
{
	unsigned int i;
	bool names, sets;

	for (i = 0; i < work->n; i++) {
		names = work->entries[i].entry.rights & ABUSE_MAP_WRITE;
		sets = work->entries[i].target;
		if (sets ? !names : names)
			return true;
	}
	return false;
}

/* Under dev->control. Requests that began before *seq began under the former ranges. */
static int abuse_map_change(struct abuse_map_work *work, u32 *seq)
{
	struct abuse_device *dev = work->dev;
	int err;

	if (dev->state != ABUSE_S_UP || abuse_server_is_over(work->srv))
		return -ENXIO;
	err = abuse_map_check_entries(work, get_capacity(dev->disk));
	if (!err)
		err = abuse_map_prepare(work);
	*seq = 0;
	if (!err && !dev->has_map && abuse_map_only_clears(work))
		return 0;
	if (!err)
		err = abuse_map_start(dev);
	if (err)
		return err;
	err = abuse_map_add_files(work);
	if (!err) {
		if (!dev->has_map)
			abuse_map_open(dev);
		if (abuse_map_ends_writes(work))
			abuse_map_expect_change(dev);
		abuse_map_apply(work);
	}
	*seq = read_seqcount_begin(&dev->map->seq);
	abuse_map_commit(dev, &work->spares);
	return err;
}

/* Of two lookups: whether the first was before a change that the other saw. */
static bool abuse_map_is_older(u32 seq, u32 than)
{
	return (s32)(seq - than) < 0;
}

/* Whether one of the entries overlaps those sectors. */
static bool abuse_map_work_overlaps(const struct abuse_map_work *work,
				    u64 sector, u64 end)
{
	unsigned int first = 0, last = work->n, middle;
	const struct abuse_map_entry *entry;

	while (first < last) {
		middle = (first + last) / 2;
		entry = &work->entries[middle].entry;
		if (entry->sector + entry->sectors <= sector)
			first = middle + 1;
		else
			last = middle;
	}
	return first < work->n && work->entries[first].entry.sector < end;
}

/* Whether a request of the map still runs that began before and overlaps an entry. */
static bool abuse_map_runs_older(const struct abuse_map_work *work, u32 seq)
{
	const struct abuse_device *dev = work->dev;
	u64 sector, end;
	u32 i, began;

	for (i = 0; i < dev->nr_slots; i++)
		if (abuse_redirect_is_mapped(dev, i, &sector, &end, &began) &&
		    abuse_map_is_older(began, seq) &&
		    abuse_map_work_overlaps(work, sector, end))
			return true;
	return false;
}

static int abuse_map_perform(struct abuse_map_work *work)
{
	struct abuse_device *dev = work->dev;
	int err;
	u32 seq;

	if (mutex_lock_killable(&dev->control))
		return -EINTR;
	err = abuse_server_check(work->srv);
	if (!err)
		err = abuse_map_change(work, &seq);
	mutex_unlock(&dev->control);
	if (!err && wait_event_killable(dev->doomed_wait,
					!abuse_map_runs_older(work, seq)))
		err = -EINTR;
	return err;
}

static void abuse_map_work_free(struct abuse_map_work *work)
{
	unsigned int i;

	for (i = 0; i < work->n; i++)
		if (work->entries[i].target)
			abuse_target_release(work->entries[i].target);
	abuse_spares_free(&work->spares);
	kvfree(work->entries);
}

long abuse_map(struct abuse_server *srv, void __user *arg)
{
	struct abuse_map_work work = { .dev = srv->dev, .srv = srv };
	struct abuse_map map;
	int err;

	/* I/O of the kernel on a file has no time-out, and a user's disk must fail in time. */
	if (abuse_device_is_users(srv->dev))
		return -EPERM;
	err = abuse_map_read_args(&map, arg);
	if (err)
		return err;
	work.entries = kvcalloc(map.nr, sizeof(*work.entries),
				GFP_KERNEL_ACCOUNT);
	if (!work.entries)
		return -ENOMEM;
	work.n = map.nr;
	err = abuse_map_read_entries(&work, &map);
	if (!err)
		err = abuse_map_perform(&work);
	if (READ_ONCE(srv->dev->map))
		abuse_map_files_drop(srv->dev);
	abuse_map_work_free(&work);
	return err;
}

/* ---- GET_MAP ------------------------------------------------------------------------------ */

/* The index of that file on the caller's descriptor. */
static u32 abuse_map_file_index(struct abuse_server *srv,
				const struct abuse_target *target)
{
	struct abuse_target *found;
	unsigned long index;

	xa_for_each(&srv->targets, index, found)
		if (found == target)
			return index;
	return ABUSE_NO_FILE;
}

static struct abuse_map_entry
abuse_map_describe(struct abuse_server *srv, const struct abuse_extent *extent)
{
	const struct inode *inode = file_inode(extent->target->file);

	return (struct abuse_map_entry) {
		.sector = extent->sector,
		.sectors = extent->end - extent->sector,
		.offset = (u64)extent->at << SECTOR_SHIFT,
		.file = abuse_map_file_index(srv, extent->target),
		.rights = extent->rights,
		.device = huge_encode_dev(S_ISBLK(inode->i_mode) ?
					  inode->i_rdev : inode->i_sb->s_dev),
		.inode = S_ISBLK(inode->i_mode) ? 0 : inode->i_ino,
	};
}

/* Fills in extents from that sector on, at most n; returns how many. */
static int abuse_map_list(struct abuse_server *srv, u64 sector,
			  struct abuse_map_entry *entries, unsigned int n)
{
	struct abuse_device *dev = srv->dev;
	const struct abuse_extent *extent;
	unsigned int i = 0;
	int err;

	if (mutex_lock_killable(&dev->control))
		return -EINTR;
	err = abuse_server_check(srv);
	if (!err && dev->state != ABUSE_S_UP)
		err = -ENXIO;
	if (!err && dev->map)
		for (extent = abuse_map_search(dev->map, sector); extent && i < n;
		     extent = abuse_map_search(dev->map, extent->end))
			entries[i++] = abuse_map_describe(srv, extent);
	mutex_unlock(&dev->control);
	return err ? err : i;
}

static int abuse_map_write_entry(void __user *to,
				 const struct abuse_map_entry *entry, u32 size)
{
	size_t known = min_t(size_t, size, sizeof(*entry));

	if (copy_to_user(to, entry, known) ||
	    clear_user(to + known, size - known))
		return -EFAULT;
	return 0;
}

long abuse_get_map(struct abuse_server *srv, void __user *arg)
{
	struct abuse_map __user *to = arg;
	struct abuse_map_entry *entries;
	struct abuse_map map;
	int ret, i, err;

	err = abuse_map_read_args(&map, arg);
	if (err)
		return err;
	entries = kvcalloc(map.nr, sizeof(*entries), GFP_KERNEL_ACCOUNT);
	if (!entries)
		return -ENOMEM;
	ret = abuse_map_list(srv, map.sector, entries, map.nr);
	err = min(ret, 0);
	for (i = 0; i < ret && !err; i++)
		err = abuse_map_write_entry(abuse_user_ptr(map.entries) +
					    (size_t)i * map.entry_size,
					    &entries[i], map.entry_size);
	if (!err && put_user((u32)ret, &to->nr))
		err = -EFAULT;
	kvfree(entries);
	return err;
}
