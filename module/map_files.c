// SPDX-License-Identifier: GPL-2.0-only
// Copyright (C) 2026 the abuse authors
/*
 * The files of a map, from when a range is first mapped to one until none is, no request of
 * the map runs there, and what these wrote was synced. They keep their place in the list of
 * which disk lies on which (files.c) as long. A FLUSH syncs them (redirect.c calls).
 */
#include "abuse.h"

/*
 * The file is listed and has its place among the stacked ones. -ELOOP: it is registered no
 * more, and another disk was put between since.
 */
int abuse_map_files_add(struct abuse_device *dev, struct abuse_target *target)
{
	bool is_new;
	int err;

	lockdep_assert_held(&dev->control);
	spin_lock(&dev->lock);
	is_new = list_empty(&target->mapped);
	if (!is_new)
		target->is_mapped = true;
	spin_unlock(&dev->lock);
	if (!is_new)
		return 0;
	err = abuse_target_stack(target);
	if (err)
		return err;
	abuse_target_begin(target);
	kref_get(&target->ref);
	spin_lock(&dev->lock);
	target->is_mapped = true;
	list_add_tail(&target->mapped, &dev->map->files);
	spin_unlock(&dev->lock);
	return 0;
}

/* Files that have no extents any more, after submitters have settled. */
void abuse_map_files_check(struct abuse_device *dev)
{
	struct abuse_target *target;

	lockdep_assert_held(&dev->control);
	spin_lock(&dev->lock);
	list_for_each_entry(target, &dev->map->files, mapped)
		if (!target->nr_extents)
			target->is_mapped = false;
	spin_unlock(&dev->lock);
}

static bool abuse_map_file_is_synced(const struct abuse_target *target)
{
	return atomic64_read(&target->writes) == target->synced;
}

/* In this order: a request that has ended has said before that it wrote. */
static bool abuse_map_file_is_over(const struct abuse_target *target)
{
	return !target->is_mapped && !atomic_read_acquire(&target->nr_running) &&
	       abuse_map_file_is_synced(target);
}

static bool abuse_map_file_is_any(const struct abuse_target *target)
{
	return true;
}

/*
 * Takes one file off the list. It is on no list then: a MAP that names it meanwhile lists it
 * again, with a reference of its own. NULL: there is none. Not while a FLUSH walks along the
 * list, which drops files itself afterwards.
 */
static struct abuse_target *
abuse_map_files_take(struct abuse_device *dev,
		     bool (*is_wanted)(const struct abuse_target *target))
{
	struct abuse_target *target, *found = NULL;

	spin_lock(&dev->lock);
	list_for_each_entry(target, &dev->map->files, mapped)
		if (!dev->map->nr_walkers && is_wanted(target)) {
			list_del_init(&target->mapped);
			found = target;
			break;
		}
	spin_unlock(&dev->lock);
	return found;
}

static void abuse_map_files_release(struct abuse_device *dev,
				    bool (*is_wanted)(const struct abuse_target *))
{
	struct abuse_target *target;

	while ((target = abuse_map_files_take(dev, is_wanted))) {
		abuse_target_unstack(target);
		abuse_target_release(target);
	}
}

/* Those that the map needs no more. */
void abuse_map_files_drop(struct abuse_device *dev)
{
	abuse_map_files_release(dev, abuse_map_file_is_over);
}

/* The set-up has ended, and no request runs any more. */
void abuse_map_files_forget(struct abuse_device *dev)
{
	lockdep_assert_held(&dev->control);
	if (dev->map)
		abuse_map_files_release(dev, abuse_map_file_is_any);
}

/* ---- requests of the map -------------------------------------------------------------- */

/*
 * A request of the map has run on the file, with what result ever. Afterwards the file may be
 * dropped.
 */
void abuse_map_file_ran(struct abuse_target *target, bool wrote)
{
	if (wrote)
		atomic64_inc(&target->writes);
	atomic_dec_return_release(&target->nr_running);
}

/* Whether the FLUSH is to sync that file. */
static bool abuse_map_file_wants_sync(const struct abuse_target *target,
				      bool is_whole)
{
	if (!(target->file->f_mode & FMODE_WRITE))
		return false;
	/* No server is asked: what servers wrote may be in any file of the map. */
	return !abuse_map_file_is_synced(target) ||
	       (is_whole && target->is_mapped);
}

/* Requests that end while it syncs count for the next FLUSH. */
static int abuse_map_file_sync(struct abuse_target *target)
{
	struct abuse_device *dev = target->dev;
	u64 writes = atomic64_read(&target->writes);
	int err;

	lockdep_assert_held(&dev->lock);
	spin_unlock(&dev->lock);
	err = abuse_target_sync(target);
	spin_lock(&dev->lock);
	if (!err && target->synced < writes)
		target->synced = writes;
	return err;
}

/*
 * For a FLUSH, in a worker: syncs the files that took WRITEs or SHAPEs of the map since they
 * were last synced; all of its files if no server is to be asked, since WRITE is mapped for
 * the whole disk. Returns 0 or the first error.
 */
int abuse_map_files_sync(struct abuse_device *dev, bool is_whole)
{
	struct abuse_mapping *map = dev->map;
	struct abuse_target *target;
	int err = 0, ret;

	spin_lock(&dev->lock);
	map->nr_walkers++;
	list_for_each_entry(target, &map->files, mapped) {
		if (!abuse_map_file_wants_sync(target, is_whole))
			continue;
		ret = abuse_map_file_sync(target);
		err = err ?: ret;
	}
	map->nr_walkers--;
	spin_unlock(&dev->lock);
	abuse_map_files_drop(dev);
	return err;
}
