// SPDX-License-Identifier: GPL-2.0-only
// Copyright (C) 2026 the abuse authors
/*
 * Redirected requests: which file a request goes to, and how it ends. complete.c enters with a
 * claimed request, map_submit.c with one that arrives; from then on only the end of the I/O ends
 * it. Workers (lanes.c) do the I/O (redirect_io.c), with the request's own pages.
 */
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "redirect.h"
#include "trace.h"

/* ---- a FLUSH of a device that has a map --------------------------------------------- */

/* If the map becomes whole meanwhile, the server that made it so may be gone: all files are synced then. */
static int abuse_redirect_flush(struct abuse_redirect *r)
{
	const struct abuse_mapping *map = r->dev->map;
	int err;

	do {
		r->is_whole = READ_ONCE(map->is_whole);
		err = abuse_map_files_sync(r->dev, r->is_whole);
	} while (!err && !r->is_whole && READ_ONCE(map->is_whole));
	return READ_ONCE(r->dev->sync_failed) ? -EIO : err;
}

/* A FLUSH whose files were synced: whether servers have to be asked. The map may have ceased to be whole since. */
static bool abuse_redirect_is_for_servers(const struct abuse_redirect *r)
{
	return !r->is_whole || !READ_ONCE(r->dev->map->is_whole);
}

/* ---- beginning and end ------------------------------------------------------------ */

/* For a worker. True: the request's I/O has ended. False: it continues later. */
bool abuse_redirect_do(struct abuse_job *job, size_t *bytes)
{
	struct abuse_redirect *r = container_of(job, struct abuse_redirect,
						job);
	struct request *rq = abuse_redirect_slot(r)->rq;

	*bytes = blk_rq_bytes(rq);
	if (r->target)
		return abuse_redirect_io(r, rq);
	r->result = abuse_redirect_flush(r);
	return true;
}

static u32 abuse_redirect_error(const struct abuse_redirect *r,
				const struct request *rq)
{
	u32 error = -r->result;

	return abuse_result_check(abuse_rq_op(rq), error) ? EIO : error;
}

/* Without a write cache it was synced when it ended, and no FLUSH comes. */
static bool abuse_redirect_is_unsynced(const struct abuse_redirect *r,
				       const struct request *rq)
{
	return op_is_write(req_op(rq)) && (r->dev->features & ABUSE_F_WRITE_CACHE);
}

/* Once the request has ended another one may use slot and r at any moment. */
static void abuse_redirect_end_one(struct abuse_redirect *r,
				   struct abuse_tally *tally)
{
	struct abuse_slot *slot = abuse_redirect_slot(r);
	struct abuse_target *target = r->mapped ? NULL : r->target;
	u32 error = abuse_redirect_error(r, slot->rq);

	if (!r->target && !error && abuse_redirect_is_for_servers(r)) {
		if (abuse_submit_flush(r->dev, slot))
			return;
		error = EIO;
	}
	if (r->target && r->mapped)
		abuse_map_file_ran(r->target, abuse_redirect_is_unsynced(r, slot->rq));
	trace_abuse_answered(r->dev, slot, error);
	abuse_end_redirected(r->dev, slot, tally, error);
	if (target)
		abuse_target_put(target);
}

/* Ends requests whose I/O has ended. The device outlives its workers. */
void abuse_redirect_end(struct abuse_device *dev, const struct abuse_jobs *jobs)
{
	struct abuse_job *job, *next;
	struct abuse_tally tally = { };

	for (job = jobs->first; job; job = next) {
		next = job->next;
		abuse_redirect_end_one(container_of(job, struct abuse_redirect,
						    job), &tally);
	}
	abuse_settle(dev, &tally);
	/* Ending a request was a full barrier: a waiter sees the state, or is seen here. */
	if (waitqueue_active(&dev->doomed_wait))
		wake_up(&dev->doomed_wait);
}

/*
 * Whether the file may serve that request: its mode, the largest offset of its file
 * system, and RLIMIT_FSIZE of the server.
 */
static bool abuse_target_allows(const struct abuse_target *target,
		       const struct request *rq, u64 pos)
{
	u64 end = pos + blk_rq_bytes(rq);
	const struct inode *inode = target->file->f_mapping->host;

	if (req_op(rq) == REQ_OP_READ && !(target->file->f_mode & FMODE_READ))
		return false;
	if (op_is_write(req_op(rq)) && !(target->file->f_mode & FMODE_WRITE))
		return false;
	if (req_op(rq) == REQ_OP_FLUSH)
		return true;
	if (end < pos || end > inode->i_sb->s_maxbytes)
		return false;
	return req_op(rq) == REQ_OP_READ || !S_ISREG(inode->i_mode) ||
	       end <= rlimit(RLIMIT_FSIZE);
}

/* Most replies of a call name the same file: remember it. NULL: not registered. */
static struct abuse_target *abuse_tally_target(struct abuse_server *srv,
					       u32 file,
					       struct abuse_tally *tally)
{
	if (!tally->target || tally->file != file) {
		if (tally->target)
			abuse_target_put(tally->target);
		tally->target = abuse_target_get(srv, file);
		tally->file = file;
	}
	return tally->target;
}

static struct abuse_redirect *
abuse_redirect_fill(struct abuse_device *dev, const struct abuse_slot *slot,
		    struct abuse_target *target, loff_t pos)
{
	struct abuse_redirect *r = &dev->redirects[slot - dev->slots];

	r->dev = dev;
	WRITE_ONCE(r->target, target);
	r->bio = slot->rq->bio;
	r->done = 0;
	r->pos = pos;
	r->under_way = false;
	r->refused = false;
	return r;
}

/*
 * Redirects a claimed request to the registered file that the reply names. 0: redirected;
 * the I/O begins when the tally is settled. -EINVAL: no such file, or the file may not
 * serve this request, which is still claimed. -ESTALE: the request was to be failed
 * meanwhile, and has ended.
 */
int abuse_redirect(struct abuse_server *srv, struct abuse_slot *slot,
		   const struct abuse_reply *reply, struct abuse_tally *tally)
{
	struct abuse_device *dev = srv->dev;
	struct abuse_target *target = abuse_tally_target(srv, reply->file, tally);
	struct abuse_redirect *r;

	if (!target || !abuse_target_allows(target, slot->rq, reply->address))
		return -EINVAL;
	/* The configuration cannot end while one of its requests is claimed. */
	if (unlikely(READ_ONCE(target->epoch) != atomic64_read(&dev->epoch)))
		abuse_target_begin(target);
	/* Before a MAP takes it for the last request of the map that had this slot. */
	WRITE_ONCE(dev->redirects[slot - dev->slots].mapped, false);
	if (!abuse_slot_try(slot, reply->id, ABUSE_CLAIMED_HELD,
			    ABUSE_REDIRECTED)) {
		abuse_end_doomed(dev, slot);
		return -ESTALE;
	}
	kref_get(&target->ref);
	r = abuse_redirect_fill(dev, slot, target, reply->address);
	trace_abuse_redirected(dev, slot);
	abuse_job_append(&tally->jobs, &r->job);
	return 0;
}

/*
 * A request that arrives goes to the place that the map has for it; without a place it is a
 * FLUSH. In the section: a call that changes the map afterwards finds it here.
 */
void abuse_redirect_mapped(struct abuse_device *dev, struct request *rq,
			   const struct abuse_place *place,
			   struct abuse_tally *tally)
{
	struct abuse_slot *slot = abuse_submit_begin(dev, rq);
	struct abuse_redirect *r;

	r = abuse_redirect_fill(dev, slot, place->target, place->pos);
	WRITE_ONCE(r->mapped, true);
	WRITE_ONCE(r->seq, place->seq);
	WRITE_ONCE(r->sector, blk_rq_pos(rq));
	WRITE_ONCE(r->end, blk_rq_pos(rq) + blk_rq_sectors(rq));
	if (place->target)
		atomic_inc(&place->target->nr_running);
	abuse_slot_step(slot, ABUSE_FREE, ABUSE_REDIRECTED);
	trace_abuse_redirected(dev, slot);
	abuse_job_append(&tally->jobs, &r->job);
}

/*
 * Whether that slot's request runs by the map, where, and since when. It may end meanwhile,
 * and another begin, which is younger.
 */
bool abuse_redirect_is_mapped(const struct abuse_device *dev, u32 number,
			      u64 *sector, u64 *end, u32 *seq)
{
	const struct abuse_redirect *r = &dev->redirects[number];

	if (abuse_word_state(abuse_slot_word(&dev->slots[number])) !=
	    ABUSE_REDIRECTED || !READ_ONCE(r->mapped) || !READ_ONCE(r->target))
		return false;
	*sector = READ_ONCE(r->sector);
	*end = READ_ONCE(r->end);
	*seq = READ_ONCE(r->seq);
	return true;
}

/* A hint, unless the caller has made sure that no more requests are redirected. */
bool abuse_any_redirected(const struct abuse_device *dev)
{
	u32 i;

	for (i = 0; dev->redirects && i < dev->nr_slots; i++)
		if (abuse_word_state(abuse_slot_word(&dev->slots[i])) ==
		    ABUSE_REDIRECTED)
			return true;
	return false;
}

/* Called before the first file of a device is registered. */
int abuse_redirect_start(struct abuse_device *dev)
{
	struct abuse_redirect *redirects;
	int err;

	lockdep_assert_held(&dev->control);
	if (dev->redirects)
		return 0;
	redirects = kvcalloc(dev->nr_slots, sizeof(*redirects),
			     GFP_KERNEL_ACCOUNT);
	if (!redirects)
		return -ENOMEM;
	err = abuse_lanes_start(dev);
	if (err) {
		kvfree(redirects);
		return err;
	}
	INIT_WORK(&dev->close_work, abuse_targets_close);
	/* A registered file and abuse_any_redirected() see the array complete. */
	smp_store_release(&dev->redirects, redirects);
	return 0;
}

/* After the last reference to the device, which every registered or open file holds. */
void abuse_redirect_stop(struct abuse_device *dev)
{
	if (!dev->redirects)
		return;
	abuse_lanes_stop(dev);
	abuse_map_stop(dev);
	kvfree(dev->redirects);
	dev->redirects = NULL;
}
