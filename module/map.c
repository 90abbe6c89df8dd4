// SPDX-License-Identifier: GPL-2.0-only
// Copyright (C) 2026 the abuse authors
/*
 * The map of a device: which ranges of the disk the kernel serves alone, from which place
 * of which file. The extents are in a tree, ordered and without overlaps. map_call.c changes the
 * tree under dev->control. Submitters (map_submit.c) search it without a lock: a sequence
 * counter tells them that it changed meanwhile, and the section in which they search and
 * read (SRCU) keeps extents and files in being.
 */
#include <linux/slab.h>

#include "abuse.h"

/* How many extents are erased at a time, while submitters wait in a loop. */
#define ABUSE_MAP_STEP	64

static struct kmem_cache *abuse_extent_cache;
struct srcu_struct abuse_map_srcu;

static struct abuse_extent *abuse_extent_of(struct rb_node *node)
{
	return node ? rb_entry(node, struct abuse_extent, node) : NULL;
}

/* ---- lookup ----------------------------------------------------------------------- */

/*
 * The first extent that ends beyond that sector. Erasing and inserting may be under way:
 * the search ends all the same, and the caller's sequence counter tells.
 */
struct abuse_extent *abuse_map_search(const struct abuse_mapping *map,
					     u64 sector)
{
	struct rb_node *node = READ_ONCE(map->root.rb_node);
	struct abuse_extent *extent, *found = NULL;

	while (node) {
		extent = rb_entry(node, struct abuse_extent, node);
		if (READ_ONCE(extent->end) > sector) {
			found = extent;
			node = READ_ONCE(node->rb_left);
		} else {
			node = READ_ONCE(node->rb_right);
		}
	}
	return found;
}

/*
 * For a submitter, in the section: the place of sectors that one extent holds as a whole and
 * grants that right for. False: there is none.
 */
bool abuse_map_find(const struct abuse_mapping *map, u64 sector, u64 end,
		    u32 right, struct abuse_place *place)
{
	const struct abuse_extent *extent;
	bool found;

	do {
		place->seq = read_seqcount_begin(&map->seq);
		extent = abuse_map_search(map, sector);
		found = extent && extent->sector <= sector &&
			extent->end >= end && (extent->rights & right);
		if (found) {
			place->target = extent->target;
			place->pos = (extent->at + sector - extent->sector) <<
				     SECTOR_SHIFT;
		}
	} while (read_seqcount_retry(&map->seq, place->seq));
	return found;
}

/* ---- changes: under dev->control ----------------------------------------------------- */

/* Submitters in a loop wait for the end of it: nobody else is to run here meanwhile. */
static void abuse_map_change_begin(struct abuse_mapping *map)
{
	preempt_disable();
	write_seqcount_begin(&map->seq);
}

static void abuse_map_change_end(struct abuse_mapping *map)
{
	write_seqcount_end(&map->seq);
	preempt_enable();
}

/* An extent comes into being (1) or changes or goes (-1): what is counted of it. */
static void abuse_extent_count(struct abuse_mapping *map,
			       const struct abuse_extent *extent, int sign)
{
	WRITE_ONCE(map->nr_extents, map->nr_extents + sign);
	extent->target->nr_extents += sign;
	if (extent->rights & ABUSE_MAP_WRITE)
		map->nr_writable += sign * (s64)(extent->end - extent->sector);
}

static void abuse_extent_insert(struct abuse_mapping *map,
				struct abuse_extent *extent)
{
	struct rb_node **link = &map->root.rb_node, *parent = NULL;

	while (*link) {
		parent = *link;
		link = abuse_extent_of(parent)->sector > extent->sector ?
		       &parent->rb_left : &parent->rb_right;
	}
	/* A submitter that finds the node, by this link or another, finds it complete. */
	smp_wmb();
	rb_link_node(&extent->node, parent, link);
	rb_insert_color(&extent->node, &map->root);
	abuse_extent_count(map, extent, 1);
}

/* Submitters may still be reading it: the caller frees it after them. */
static void abuse_extent_erase(struct abuse_mapping *map,
			       struct abuse_extent *extent,
			       struct abuse_spares *spares)
{
	abuse_extent_count(map, extent, -1);
	rb_erase(&extent->node, &map->root);
	extent->next = spares->erased;
	spares->erased = extent;
}

static struct abuse_extent *abuse_spare_take(struct abuse_spares *spares)
{
	struct abuse_extent *extent = spares->fresh;

	spares->fresh = extent->next;
	return extent;
}

/* The bounds of an extent become those, within what they were. */
static void abuse_extent_cut(struct abuse_mapping *map,
			     struct abuse_extent *extent, u64 sector, u64 end)
{
	abuse_extent_count(map, extent, -1);
	extent->at += sector - extent->sector;
	extent->sector = sector;
	WRITE_ONCE(extent->end, end);
	abuse_extent_count(map, extent, 1);
}

/* It ends later, where no other extent is. */
static void abuse_extent_grow(struct abuse_mapping *map,
			      struct abuse_extent *extent, u64 end)
{
	abuse_extent_count(map, extent, -1);
	WRITE_ONCE(extent->end, end);
	abuse_extent_count(map, extent, 1);
}

/* Ends it there; what was behind is an extent of its own, which is returned. */
static struct abuse_extent *abuse_extent_split(struct abuse_mapping *map,
					       struct abuse_extent *extent,
					       u64 sector,
					       struct abuse_spares *spares)
{
	struct abuse_extent *rest = abuse_spare_take(spares);

	*rest = *extent;
	rest->at += sector - rest->sector;
	rest->sector = sector;
	abuse_extent_cut(map, extent, extent->sector, sector);
	abuse_extent_insert(map, rest);
	return rest;
}

static bool abuse_extents_join(const struct abuse_extent *a,
			       const struct abuse_extent *b)
{
	return a->end == b->sector && a->target == b->target &&
	       a->rights == b->rights &&
	       a->at + (a->end - a->sector) == b->at;
}

/* One extent with the one before it, if they go on in the same file. */
static void abuse_extent_merge(struct abuse_mapping *map,
			       struct abuse_extent *extent,
			       struct abuse_spares *spares)
{
	struct abuse_extent *before = abuse_extent_of(rb_prev(&extent->node));
	u64 end = extent->end;

	if (!before || !abuse_extents_join(before, extent))
		return;
	abuse_extent_erase(map, extent, spares);
	abuse_extent_grow(map, before, end);
}

/* ... and the one after it. */
static void abuse_extent_merge_around(struct abuse_mapping *map,
				      struct abuse_extent *extent,
				      struct abuse_spares *spares)
{
	struct abuse_extent *after = abuse_extent_of(rb_next(&extent->node));

	if (after)
		abuse_extent_merge(map, after, spares);
	abuse_extent_merge(map, extent, spares);
}

/* Takes from the first extent what is in the range, which it overlaps. */
static void abuse_extent_carve(struct abuse_mapping *map,
			       struct abuse_extent *extent, u64 sector, u64 end,
			       struct abuse_spares *spares)
{
	if (extent->sector < sector && extent->end > end)
		abuse_extent_split(map, extent, end, spares);
	if (extent->sector < sector)
		abuse_extent_cut(map, extent, extent->sector, sector);
	else if (extent->end > end)
		abuse_extent_cut(map, extent, end, extent->end);
	else
		abuse_extent_erase(map, extent, spares);
}

/* At most so many extents of the range go. Returns up to where none is left. */
static u64 abuse_map_carve(struct abuse_mapping *map, u64 sector, u64 end,
			   struct abuse_spares *spares)
{
	struct abuse_extent *extent;
	unsigned int n;

	for (n = 0;; n++) {
		extent = abuse_map_search(map, sector);
		if (!extent || extent->sector >= end)
			return end;
		if (n == ABUSE_MAP_STEP)
			return extent->sector;
		abuse_extent_carve(map, extent, sector, end, spares);
	}
}

/* The range is served from that place; spares has two extents for it. */
void abuse_map_set(struct abuse_mapping *map, const struct abuse_map_entry *entry,
		   struct abuse_target *target, struct abuse_spares *spares)
{
	u64 sector = entry->sector, end = sector + entry->sectors;
	struct abuse_extent *extent = abuse_map_search(map, sector);
	u64 reach = sector;

	/* Nothing changes: a caller that maps again what it has mapped only waits. */
	if (extent && extent->sector <= sector && extent->end >= end &&
	    extent->target == target && extent->rights == entry->rights &&
	    extent->at + sector - extent->sector == entry->offset >> SECTOR_SHIFT)
		return;
	/* Between two steps each sector is mapped as before or as it is to be. */
	for (extent = NULL; reach < end;) {
		abuse_map_change_begin(map);
		reach = abuse_map_carve(map, reach, end, spares);
		if (!extent) {
			extent = abuse_spare_take(spares);
			*extent = (struct abuse_extent) {
				.sector = sector, .end = reach, .target = target,
				.at = entry->offset >> SECTOR_SHIFT,
				.rights = entry->rights,
			};
			abuse_extent_insert(map, extent);
		} else {
			abuse_extent_grow(map, extent, reach);
		}
		if (reach == end)
			abuse_extent_merge_around(map, extent, spares);
		abuse_map_change_end(map);
		cond_resched();
	}
}

/* Rights of what one extent has of the range go. */
static void abuse_extent_clear(struct abuse_mapping *map,
			       struct abuse_extent *extent, u64 sector, u64 end,
			       u32 rights, struct abuse_spares *spares)
{
	if (!(extent->rights & ~rights)) {
		abuse_extent_carve(map, extent, sector, end, spares);
		return;
	}
	if (extent->sector < sector)
		extent = abuse_extent_split(map, extent, sector, spares);
	if (extent->end > end)
		abuse_extent_split(map, extent, end, spares);
	abuse_extent_count(map, extent, -1);
	extent->rights &= ~rights;
	abuse_extent_count(map, extent, 1);
	abuse_extent_merge_around(map, extent, spares);
}

/*
 * Takes those rights from the range; spares has two extents for it, of which it needs none
 * if the range goes to the end of the map and the rights are all.
 */
void abuse_map_clear(struct abuse_mapping *map, u64 sector, u64 end, u32 rights,
		     struct abuse_spares *spares)
{
	struct abuse_extent *extent;
	u64 at = sector, next;

	while (at < end && (extent = abuse_map_search(map, at)) &&
	       extent->sector < end) {
		next = min(extent->end, end);
		if (extent->rights & rights) {
			abuse_map_change_begin(map);
			abuse_extent_clear(map, extent, sector, end, rights,
					   spares);
			abuse_map_change_end(map);
		}
		at = next;
		cond_resched();
	}
}

/* ---- what extents are made of ----------------------------------------------------------- */

void abuse_spares_free(struct abuse_spares *spares)
{
	struct abuse_extent *extent;

	while ((extent = spares->fresh)) {
		spares->fresh = extent->next;
		kmem_cache_free(abuse_extent_cache, extent);
	}
	while ((extent = spares->erased)) {
		spares->erased = extent->next;
		kmem_cache_free(abuse_extent_cache, extent);
		cond_resched();
	}
}

int abuse_spares_alloc(struct abuse_spares *spares, unsigned int n)
{
	struct abuse_extent *extent;

	while (n--) {
		extent = kmem_cache_alloc(abuse_extent_cache, GFP_KERNEL_ACCOUNT);
		if (!extent) {
			abuse_spares_free(spares);
			return -ENOMEM;
		}
		extent->next = spares->fresh;
		spares->fresh = extent;
	}
	return 0;
}

/*
 * No submitter that began before this searches the tree or reads a file any more, or has found no
 * range and has yet to queue its request for servers.
 */
static void abuse_map_settle(void)
{
	synchronize_srcu_expedited(&abuse_map_srcu);
}

/* The map of a set-up that has ended: nothing is in it. */
static void abuse_map_empty(struct abuse_mapping *map)
{
	struct rb_root root = map->root;
	struct abuse_extent *extent, *next;

	abuse_map_change_begin(map);
	map->root = RB_ROOT;
	WRITE_ONCE(map->nr_extents, 0);
	map->nr_writable = 0;
	abuse_map_change_end(map);
	abuse_map_settle();
	rbtree_postorder_for_each_entry_safe(extent, next, &root, node) {
		extent->target->nr_extents--;
		kmem_cache_free(abuse_extent_cache, extent);
		cond_resched();
	}
}

/* Called before the first range of a device is mapped, when it has a registered file. */
int abuse_map_start(struct abuse_device *dev)
{
	struct abuse_mapping *map;

	lockdep_assert_held(&dev->control);
	if (dev->map)
		return 0;
	if (WARN_ON_ONCE(!dev->redirects))
		return -EINVAL;
	map = kzalloc(sizeof(*map), GFP_KERNEL_ACCOUNT);
	if (!map)
		return -ENOMEM;
	map->root = RB_ROOT;
	seqcount_init(&map->seq);
	INIT_LIST_HEAD(&map->files);
	smp_store_release(&dev->map, map);
	return 0;
}

/*
 * The first MAP of a set-up: submitters see the map complete. Those that saw none, all of which are within an
 * RCU section of the block layer, have queued their requests for servers when this returns.
 */
void abuse_map_open(struct abuse_device *dev)
{
	lockdep_assert_held(&dev->control);
	smp_store_release(&dev->has_map, true);
	synchronize_rcu_expedited();
}

/* Whether the kernel serves all WRITEs of the disk. */
static void abuse_map_measure(struct abuse_device *dev, u64 capacity)
{
	WRITE_ONCE(dev->map->is_whole, dev->map->nr_writable == capacity);
}

/*
 * After changes, before control is left: submitters that had found the former extents have
 * begun, or ended, what they do with them; files without extents get no more requests.
 */
void abuse_map_commit(struct abuse_device *dev, struct abuse_spares *spares)
{
	lockdep_assert_held(&dev->control);
	abuse_map_measure(dev, get_capacity(dev->disk));
	abuse_map_settle();
	abuse_map_files_check(dev);
	abuse_spares_free(spares);
}

/*
 * Before the map changes or the disk grows: servers may soon be asked for WRITEs, and answer
 * them before abuse_map_commit(). A FLUSH asks them, too, from now on.
 */
void abuse_map_expect_change(struct abuse_device *dev)
{
	lockdep_assert_held(&dev->control);
	if (dev->map)
		WRITE_ONCE(dev->map->is_whole, false);
}

/* The capacity has changed: what lies beyond the new end is mapped no more. */
void abuse_map_resize(struct abuse_device *dev, u64 capacity)
{
	struct abuse_spares spares = { };

	lockdep_assert_held(&dev->control);
	if (!dev->map)
		return;
	abuse_map_clear(dev->map, capacity, U64_MAX, ABUSE_MAP_RIGHTS, &spares);
	abuse_map_commit(dev, &spares);
	abuse_map_files_drop(dev);
}

/*
 * RESET and REMOVE, after the state has changed: nothing more begins by the map. Requests
 * that were redirected before end as usual.
 */
void abuse_map_close(struct abuse_device *dev)
{
	lockdep_assert_held(&dev->control);
	if (!dev->map)
		return;
	WRITE_ONCE(dev->has_map, false);
	WRITE_ONCE(dev->map->is_whole, false);
	abuse_map_empty(dev->map);
	abuse_map_files_check(dev);
}

/* After the last reference to the device, when no server and no request is left. */
void abuse_map_stop(struct abuse_device *dev)
{
	kfree(dev->map);
}

int __init abuse_map_init(void)
{
	int err;

	BUILD_BUG_ON(sizeof(struct abuse_extent) + sizeof(void *) > ABUSE_EXTENT_MOST);
	err = init_srcu_struct(&abuse_map_srcu);
	if (err)
		return err;
	abuse_extent_cache = KMEM_CACHE(abuse_extent, 0);
	if (abuse_extent_cache)
		return 0;
	cleanup_srcu_struct(&abuse_map_srcu);
	return -ENOMEM;
}

void abuse_map_exit(void)
{
	kmem_cache_destroy(abuse_extent_cache);
	cleanup_srcu_struct(&abuse_map_srcu);
}
