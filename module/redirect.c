// SPDX-License-Identifier: GPL-2.0-only
// Copyright (C) 2026 the abuse authors
/*
 * Redirected requests: the kernel does the I/O on a registered file, with the request's
 * own pages, and ends the request with the result. complete.c enters with a claimed
 * request; from then on only the end of the I/O ends it. Workers (lanes.c) do the I/O, one
 * bio at a time, so that nothing has to be allocated.
 */
#include <linux/cred.h>
#include <linux/falloc.h>
#include <linux/pagemap.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uio.h>

#include "abuse.h"
#include "trace.h"

#define ABUSE_WORKER_FLAGS	(PF_LOCAL_THROTTLE | PF_MEMALLOC_NOIO)

/* One per slot. */
struct abuse_redirect {
	struct abuse_device *dev;
	struct abuse_job job;
	struct kiocb iocb;
	struct iov_iter iter;
	struct abuse_target *target;	/* NULL: a FLUSH for all files of the map */
	struct bio *bio;	/* in progress */
	size_t done;		/* bytes of bio that were transferred */
	loff_t pos;		/* in the file, of the next byte */
	ssize_t result;		/* of asynchronous I/O; at the end, of the request */
	atomic_t nr_users;	/* of iocb: the submitter and the completion */
	bool under_way;		/* I/O was started */
	bool refused;		/* the file refused direct I/O: use the page cache */
	bool mapped;		/* by the map, not by a reply */
	bool is_whole;		/* FLUSH: as the map's, before the files were synced */
	u32 seq;		/* of the map, when it was looked up */
	u64 sector;		/* of the disk */
	u64 end;
};

static struct abuse_slot *abuse_redirect_slot(const struct abuse_redirect *r)
{
	return &r->dev->slots[r - r->dev->redirects];
}

/* ---- credentials and cgroup of the I/O ---------------------------------------- */

/* What a worker had before it assumed those of one request. */
struct abuse_io_context {
	const struct cred *cred;
	unsigned int flags;
	struct abuse_cgroup cgroup;
};

/*
 * Dirty pages of this disk need these writes to become clean: the writes must not be
 * throttled until they are.
 */
static void abuse_io_context_enter(struct abuse_io_context *context,
				   const struct abuse_target *target,
				   struct bio *bio)
{
	*context = (struct abuse_io_context) {
		.cred = override_creds(target->cred),
		.flags = current->flags,
	};
	current->flags |= ABUSE_WORKER_FLAGS;
	abuse_cgroup_join(&context->cgroup, bio);
}

static void abuse_io_context_leave(struct abuse_io_context *context)
{
	abuse_cgroup_leave(&context->cgroup);
	current_restore_flags(context->flags, ABUSE_WORKER_FLAGS);
	revert_creds(context->cred);
}

/* ---- READ and WRITE ------------------------------------------------------------- */

/*
 * A file system may use the iocb and its file until it returns from the submission, even
 * if the I/O has completed before that. So the later one of submission and completion
 * continues the request. True: the caller is the later one.
 */
static bool abuse_redirect_drop_user(struct abuse_redirect *r)
{
	return atomic_dec_and_test(&r->nr_users);
}

/* Completion of asynchronous I/O, in any context. */
static ABUSE_KI_COMPLETE(abuse_redirect_io_done, iocb, ret)
{
	struct abuse_redirect *r = container_of(iocb, struct abuse_redirect,
						iocb);

	if (iocb->ki_flags & IOCB_WRITE)
		abuse_iocb_end_write(iocb);
	r->result = ret;
	if (abuse_redirect_drop_user(r))
		abuse_lane_resume(r->dev, &r->job);
}

/* Points the iterator at the bytes of the bio that are left. */
static void abuse_redirect_set_iter(struct abuse_redirect *r, bool write)
{
	struct bio *bio = r->bio;
	const struct bio_vec *first = __bvec_iter_bvec(bio->bi_io_vec,
						       bio->bi_iter);
	struct bvec_iter at;
	unsigned int n = 0;
	struct bio_vec bv;

	bio_for_each_bvec(bv, bio, at)
		n++;
	iov_iter_bvec(&r->iter, write ? WRITE : READ, first, n,
		      bio->bi_iter.bi_size);
	/* The offset in the first one. How the kernel names that differs by version. */
	r->iter.iov_offset = mp_bvec_iter_offset(bio->bi_io_vec, bio->bi_iter) -
			     first->bv_offset;
	if (r->done)
		iov_iter_advance(&r->iter, r->done);
}

static bool abuse_redirect_is_aligned(const struct abuse_redirect *r)
{
	return !((r->pos | iov_iter_alignment(&r->iter)) &
		 r->target->block_mask);
}

/* What it wrote is on stable storage when it ends. */
static bool abuse_redirect_is_durable(const struct abuse_redirect *r,
				      const struct request *rq)
{
	if (rq->cmd_flags & REQ_FUA)
		return true;
	return r->mapped && op_is_write(req_op(rq)) &&
	       !(r->dev->features & ABUSE_F_WRITE_CACHE);
}

static int abuse_redirect_iocb_flags(const struct abuse_redirect *r,
			 const struct request *rq)
{
	/* The file was registered without O_APPEND, but fcntl(2) can set it. */
	int flags = iocb_flags(r->target->file) & ~IOCB_APPEND;

	if ((flags & IOCB_DIRECT) && (r->refused || !abuse_redirect_is_aligned(r)))
		flags &= ~IOCB_DIRECT;
	if (abuse_redirect_is_durable(r, rq))
		flags |= IOCB_DSYNC;
	return flags;
}

/*
 * Returns the number of bytes transferred, an error, or -EIOCBQUEUED: then
 * abuse_redirect_io_done() is called.
 */
static ssize_t abuse_redirect_start_io(struct abuse_redirect *r)
{
	const struct request *rq = abuse_redirect_slot(r)->rq;
	bool write = req_op(rq) == REQ_OP_WRITE;
	struct file *file = r->target->file;

	abuse_redirect_set_iter(r, write);
	r->under_way = true;
	atomic_set(&r->nr_users, 2);
	r->iocb = (struct kiocb) {
		.ki_filp	= file,
		.ki_pos		= r->pos,
		.ki_complete	= abuse_redirect_io_done,
		.ki_flags	= abuse_redirect_iocb_flags(r, rq),
		.ki_ioprio	= req_get_ioprio((struct request *)rq),
	};
	if (!write)
		return vfs_iocb_iter_read(file, &r->iocb, &r->iter);
	r->iocb.ki_flags |= IOCB_WRITE;
	return abuse_iocb_write(file, &r->iocb, &r->iter);
}

/* After one I/O: 1 if more is left to do, 0 if the request is done, or an error. */
static int abuse_redirect_advance(struct abuse_redirect *r, ssize_t ret)
{
	if (ret == -EINVAL && (r->iocb.ki_flags & IOCB_DIRECT)) {
		r->refused = true;
		return 1;
	}
	if (ret < 0)
		return ret;
	if (!ret)
		return -EIO;	/* end of file */
	r->done += ret;
	r->pos += ret;
	if (r->done == r->bio->bi_iter.bi_size) {
		r->bio = r->bio->bi_next;
		r->done = 0;
	}
	return r->bio ? 1 : 0;
}

/* -EIOCBQUEUED: the request continues when asynchronous I/O has completed. */
static int abuse_redirect_transfer(struct abuse_redirect *r)
{
	ssize_t ret = r->under_way ? r->result : abuse_redirect_start_io(r);
	int err;

	while (ret != -EIOCBQUEUED) {
		err = abuse_redirect_advance(r, ret);
		if (err <= 0)
			return err;
		ret = abuse_redirect_start_io(r);
	}
	return -EIOCBQUEUED;
}

/* ---- FLUSH, DISCARD, WRITE_ZEROES --------------------------------------------------- */

static int abuse_file_sync(struct file *file)
{
	return vfs_fsync_range(file, 0, LLONG_MAX, 1);
}

/* A hole does not extend the file. If the file ends before, zeroes must be allocated. */
static int abuse_zero_mode(struct file *file, const struct request *rq,
			   loff_t end)
{
	if ((rq->cmd_flags & REQ_NOUNMAP) ||
	    end > i_size_read(file->f_mapping->host))
		return FALLOC_FL_ZERO_RANGE;
	return FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
}

static int abuse_file_fallocate(struct file *file, const struct request *rq,
				loff_t pos, bool durable)
{
	int mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
	int err;

	if (req_op(rq) == REQ_OP_WRITE_ZEROES)
		mode = abuse_zero_mode(file, rq, pos + blk_rq_bytes(rq));
	err = vfs_fallocate(file, mode, pos, blk_rq_bytes(rq));
	if (!err && durable)
		err = abuse_file_sync(file);
	/* On EOPNOTSUPP the block layer stops sending such requests. */
	return err == -EINVAL ? -EOPNOTSUPP : err;
}

/* The map was made for a file of that size at least. */
static bool abuse_redirect_is_cut_off(const struct abuse_redirect *r,
				      const struct request *rq)
{
	const struct inode *inode = r->target->file->f_mapping->host;

	return r->mapped && op_is_write(req_op(rq)) && !r->under_way &&
	       r->pos + blk_rq_bytes(rq) > i_size_read(inode);
}

static int abuse_redirect_perform(struct abuse_redirect *r)
{
	const struct request *rq = abuse_redirect_slot(r)->rq;

	/* Not -EIO, which would count as failed write-back. */
	if (abuse_redirect_is_cut_off(r, rq))
		return -EFBIG;
	switch (req_op(rq)) {
	case REQ_OP_READ:
	case REQ_OP_WRITE:
		return abuse_redirect_transfer(r);
	case REQ_OP_FLUSH:
		return abuse_file_sync(r->target->file);
	default:
		return abuse_file_fallocate(r->target->file, rq, r->pos,
					    abuse_redirect_is_durable(r, rq));
	}
}

/* ---- write-back that failed ------------------------------------------------------- */

/*
 * After write-back has failed once, no FLUSH and no durable write succeeds until the
 * device is configured again: bytes that the submitter believes to be written are lost.
 *
 * The kernel reports failed write-back to each open file once, to whichever fsync comes
 * first. The error sequence of the file's pages tells every time whether write-back has
 * failed since this configuration began to use the file. It does not know of a disk that
 * failed to flush its own cache; only the error of the call itself reports that. Other
 * errors of a write with FUA, such as ENOSPC, concern that write alone.
 */
static int abuse_redirect_synced(struct abuse_redirect *r,
				 const struct request *rq, int err)
{
	struct abuse_target *target = r->target;
	struct abuse_device *dev = r->dev;

	if (req_op(rq) != REQ_OP_FLUSH && !abuse_redirect_is_durable(r, rq))
		return err;
	if (filemap_check_wb_err(target->file->f_mapping, target->wb_err) ||
	    (err == -EIO && (rq->cmd_flags & REQ_FUA)) ||
	    (err && req_op(rq) == REQ_OP_FLUSH))
		WRITE_ONCE(dev->sync_failed, true);
	if (!err && READ_ONCE(dev->sync_failed))
		return -EIO;
	return err;
}

/* Before the first request of a configuration to that file: earlier errors do not count. */
void abuse_target_begin(struct abuse_target *target)
{
	struct abuse_device *dev = target->dev;

	spin_lock(&dev->lock);
	if (target->epoch != atomic64_read(&dev->epoch)) {
		target->wb_err = READ_ONCE(target->file->f_wb_err);
		WRITE_ONCE(target->epoch, atomic64_read(&dev->epoch));
	}
	spin_unlock(&dev->lock);
}

/* Syncs a file of the map, for a FLUSH. */
int abuse_target_sync(struct abuse_target *target)
{
	struct abuse_io_context context;
	int err;

	abuse_io_context_enter(&context, target, NULL);
	err = abuse_file_sync(target->file);
	abuse_io_context_leave(&context);
	if (filemap_check_wb_err(target->file->f_mapping, target->wb_err))
		err = err ?: -EIO;
	if (err)
		WRITE_ONCE(target->dev->sync_failed, true);
	return err;
}

/* A FLUSH of a device that has a map. */
static int abuse_redirect_flush(struct abuse_redirect *r)
{
	int err;

	r->is_whole = READ_ONCE(r->dev->map->is_whole);
	err = abuse_map_files_sync(r->dev, r->is_whole);
	return READ_ONCE(r->dev->sync_failed) ? -EIO : err;
}

/*
 * A FLUSH whose files were synced: whether servers have to be asked. The map may have become
 * whole, or may have ceased to be, since.
 */
static bool abuse_redirect_is_for_servers(const struct abuse_redirect *r)
{
	return !r->is_whole || !READ_ONCE(r->dev->map->is_whole);
}

/* ---- beginning and end ------------------------------------------------------------ */

/*
 * Begins or continues a request. True: the I/O has ended. False: it continues when
 * abuse_redirect_io_done() has been called.
 */
bool abuse_redirect_do(struct abuse_job *job, size_t *bytes)
{
	struct abuse_redirect *r = container_of(job, struct abuse_redirect,
						job);
	struct request *rq = abuse_redirect_slot(r)->rq;
	struct abuse_io_context context;
	int err;

	*bytes = blk_rq_bytes(rq);
	if (!r->target) {
		r->result = abuse_redirect_flush(r);
		return true;
	}
	do {
		abuse_io_context_enter(&context, r->target, rq->bio);
		err = abuse_redirect_perform(r);
		abuse_io_context_leave(&context);
		if (err == -EIOCBQUEUED && !abuse_redirect_drop_user(r))
			return false;
	} while (err == -EIOCBQUEUED);
	r->result = abuse_redirect_synced(r, rq, err);
	return true;
}

static u32 abuse_redirect_error(const struct abuse_redirect *r,
				const struct request *rq)
{
	u32 error = -r->result;

	return abuse_result_check(abuse_rq_op(rq), error) ? EIO : error;
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
		abuse_map_file_ran(r->target, op_is_write(req_op(slot->rq)));
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
	if (!abuse_slot_try(slot, reply->id, ABUSE_CLAIMED_HELD,
			    ABUSE_REDIRECTED)) {
		abuse_end_doomed(dev, slot);
		return -ESTALE;
	}
	kref_get(&target->ref);
	r = abuse_redirect_fill(dev, slot, target, reply->address);
	r->mapped = false;
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
	r->mapped = true;
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
