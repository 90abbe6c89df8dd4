// SPDX-License-Identifier: GPL-2.0-only
/*
 * A request that its server redirected: the kernel does it on a file, with the
 * request's own pages, and ends it with the file's result. complete.c enters with
 * a claimed request; from then on it is the file's alone. Workers (lanes.c) do the
 * I/O, bio by bio, so that nothing is allocated.
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
	struct abuse_job job;
	struct kiocb iocb;
	struct iov_iter iter;
	struct abuse_target *target;
	struct bio *bio;	/* whose bytes are being moved */
	size_t done;		/* of them */
	loff_t pos;		/* in the file, of what is next */
	ssize_t result;		/* of I/O that ended later */
	atomic_t nr_users;	/* of iocb: who started the I/O, and its end */
	bool under_way;		/* I/O was started */
	bool refused;		/* direct I/O; go on without */
};

static struct abuse_slot *slot_of(const struct abuse_redirect *r)
{
	struct abuse_device *dev = r->target->dev;

	return &dev->slots[r - dev->redirects];
}

/* ---- whose I/O it is ----------------------------------------------------------- */

/* What a worker takes on for the time of one request. */
struct guise {
	const struct cred *cred;
	unsigned int flags;
	struct abuse_cgroup cgroup;
};

/* Writing to a file must not wait until pages of this very disk are clean. */
static void put_on(struct guise *guise, const struct abuse_redirect *r)
{
	*guise = (struct guise) {
		.cred = override_creds(r->target->cred),
		.flags = current->flags,
	};
	current->flags |= ABUSE_WORKER_FLAGS;
	abuse_cgroup_join(&guise->cgroup, slot_of(r)->rq->bio);
}

static void take_off(struct guise *guise)
{
	abuse_cgroup_leave(&guise->cgroup);
	current_restore_flags(guise->flags, ABUSE_WORKER_FLAGS);
	revert_creds(guise->cred);
}

/* ---- READ and WRITE ------------------------------------------------------------- */

/*
 * File systems look at the iocb and its file until they return, even if the I/O has
 * ended by then: the last of the two goes on, or a worker in its place.
 */
static bool is_last_user(struct abuse_redirect *r)
{
	return atomic_dec_and_test(&r->nr_users);
}

/* Of asynchronous I/O, in any context. */
static ABUSE_KI_COMPLETE(io_ended, iocb, ret)
{
	struct abuse_redirect *r = container_of(iocb, struct abuse_redirect,
						iocb);

	if (iocb->ki_flags & IOCB_WRITE)
		abuse_iocb_end_write(iocb);
	r->result = ret;
	if (is_last_user(r))
		abuse_lane_resume(r->target->dev, &r->job);
}

/* What is left of the bio. */
static void aim(struct abuse_redirect *r, bool write)
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
	/* Where in the first one: kernels have different names for it. */
	r->iter.iov_offset = mp_bvec_iter_offset(bio->bi_io_vec, bio->bi_iter) -
			     first->bv_offset;
	if (r->done)
		iov_iter_advance(&r->iter, r->done);
}

static bool is_aligned_for_direct(const struct abuse_redirect *r)
{
	return !((r->pos | iov_iter_alignment(&r->iter)) &
		 r->target->block_mask);
}

static int iocb_flags_of(const struct abuse_redirect *r,
			 const struct request *rq)
{
	/* Registered without, but that may be changed. */
	int flags = iocb_flags(r->target->file) & ~IOCB_APPEND;

	if ((flags & IOCB_DIRECT) && (r->refused || !is_aligned_for_direct(r)))
		flags &= ~IOCB_DIRECT;
	if (rq->cmd_flags & REQ_FUA)
		flags |= IOCB_DSYNC;
	return flags;
}

/* Bytes moved, an error, or -EIOCBQUEUED: then r is io_ended()'s. */
static ssize_t start_io(struct abuse_redirect *r)
{
	const struct request *rq = slot_of(r)->rq;
	bool write = req_op(rq) == REQ_OP_WRITE;
	struct file *file = r->target->file;

	aim(r, write);
	r->under_way = true;
	atomic_set(&r->nr_users, 2);
	r->iocb = (struct kiocb) {
		.ki_filp	= file,
		.ki_pos		= r->pos,
		.ki_complete	= io_ended,
		.ki_flags	= iocb_flags_of(r, rq),
		.ki_ioprio	= req_get_ioprio((struct request *)rq),
	};
	if (!write)
		return vfs_iocb_iter_read(file, &r->iocb, &r->iter);
	r->iocb.ki_flags |= IOCB_WRITE;
	return abuse_iocb_write(file, &r->iocb, &r->iter);
}

/* After a piece: 1 = there is more to do, 0 = all is done, or an error. */
static int go_on(struct abuse_redirect *r, ssize_t ret)
{
	if (ret == -EINVAL && (r->iocb.ki_flags & IOCB_DIRECT)) {
		r->refused = true;
		return 1;
	}
	if (ret < 0)
		return ret;
	if (!ret)
		return -EIO;	/* the file ends here */
	r->done += ret;
	r->pos += ret;
	if (r->done == r->bio->bi_iter.bi_size) {
		r->bio = r->bio->bi_next;
		r->done = 0;
	}
	return r->bio ? 1 : 0;
}

/* -EIOCBQUEUED: it goes on when a piece of I/O has ended. */
static int move_bytes(struct abuse_redirect *r)
{
	ssize_t ret = r->under_way ? r->result : start_io(r);
	int err;

	while (ret != -EIOCBQUEUED) {
		err = go_on(r, ret);
		if (err <= 0)
			return err;
		ret = start_io(r);
	}
	return -EIOCBQUEUED;
}

/* ---- FLUSH, DISCARD, WRITE_ZEROES --------------------------------------------------- */

static int flush(struct file *file)
{
	return vfs_fsync_range(file, 0, LLONG_MAX, 1);
}

/* A hole reads as zeroes only where the file goes on: it must not end before. */
static int zero_mode(struct file *file, const struct request *rq, loff_t end)
{
	if ((rq->cmd_flags & REQ_NOUNMAP) ||
	    end > i_size_read(file->f_mapping->host))
		return FALLOC_FL_ZERO_RANGE;
	return FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
}

static int shape(struct file *file, const struct request *rq, loff_t pos)
{
	int mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
	int err;

	if (req_op(rq) == REQ_OP_WRITE_ZEROES)
		mode = zero_mode(file, rq, pos + blk_rq_bytes(rq));
	err = vfs_fallocate(file, mode, pos, blk_rq_bytes(rq));
	if (!err && (rq->cmd_flags & REQ_FUA))
		err = flush(file);
	/* The block layer does without. */
	return err == -EINVAL ? -EOPNOTSUPP : err;
}

static int perform(struct abuse_redirect *r)
{
	const struct request *rq = slot_of(r)->rq;

	switch (req_op(rq)) {
	case REQ_OP_READ:
	case REQ_OP_WRITE:
		return move_bytes(r);
	case REQ_OP_FLUSH:
		return flush(r->target->file);
	default:
		return shape(r->target->file, rq, r->pos);
	}
}

/* ---- write-back that failed ------------------------------------------------------- */

/*
 * What a request asks to be durable is so only if all that the set-up gave to files
 * before is, too. The kernel tells each open file once of write-back that failed: whether
 * it did since the set-up began to use the file is asked of the file's pages, which tell
 * it as often as asked, whoever else was told. From then on no FLUSH and no write with
 * FUA succeeds, until the device is set up anew.
 *
 * Of write-back that failed below the pages, in the cache of a disk say, only the call's
 * own error tells. A write with FUA has other errors as well, like ENOSPC, that tell
 * nothing of what was written before.
 */
static int abuse_redirect_synced(struct abuse_redirect *r,
				 const struct request *rq, int err)
{
	struct abuse_target *target = r->target;
	struct abuse_device *dev = target->dev;

	if (req_op(rq) != REQ_OP_FLUSH && !(rq->cmd_flags & REQ_FUA))
		return err;
	if (filemap_check_wb_err(target->file->f_mapping, target->wb_err) ||
	    err == -EIO || (err && req_op(rq) == REQ_OP_FLUSH))
		WRITE_ONCE(dev->sync_failed, true);
	if (!err && READ_ONCE(dev->sync_failed))
		return -EIO;
	return err;
}

/* The first request of a set-up for that file: errors of before are not the set-up's. */
static void abuse_target_begin(struct abuse_target *target)
{
	struct abuse_device *dev = target->dev;

	spin_lock(&dev->lock);
	if (target->epoch != dev->epoch) {
		target->wb_err = READ_ONCE(target->file->f_wb_err);
		WRITE_ONCE(target->epoch, dev->epoch);
	}
	spin_unlock(&dev->lock);
}

/* ---- beginning and end ------------------------------------------------------------ */

/* Begins what waited in a lane, or goes on. False: it is io_ended()'s. */
bool abuse_redirect_do(struct abuse_job *job, size_t *bytes)
{
	struct abuse_redirect *r = container_of(job, struct abuse_redirect,
						job);
	struct guise guise;
	int err;

	*bytes = blk_rq_bytes(slot_of(r)->rq);
	do {
		put_on(&guise, r);
		err = perform(r);
		take_off(&guise);
		if (err == -EIOCBQUEUED && !is_last_user(r))
			return false;
	} while (err == -EIOCBQUEUED);
	r->result = abuse_redirect_synced(r, slot_of(r)->rq, err);
	return true;
}

static u32 error_of(const struct abuse_redirect *r, const struct request *rq)
{
	u32 error = -r->result;

	return abuse_result_check(abuse_rq_op(rq), error) ? EIO : error;
}

/* Slot and r are the next one's at once. */
static void end_one(struct abuse_redirect *r, struct abuse_tally *tally)
{
	struct abuse_slot *slot = slot_of(r);
	struct abuse_target *target = r->target;
	u32 error = error_of(r, slot->rq);

	trace_abuse_answered(target->dev, slot, error);
	abuse_end_redirected(slot, tally, error);
	abuse_target_put(target);
}

/* What abuse_redirect_do() has done. The device outlives its workers. */
void abuse_redirect_end(struct abuse_device *dev, const struct abuse_jobs *jobs)
{
	struct abuse_job *job, *next;
	struct abuse_tally tally = { };

	for (job = jobs->first; job; job = next) {
		next = job->next;
		end_one(container_of(job, struct abuse_redirect, job), &tally);
	}
	abuse_settle(dev, &tally);
	/* The moves were barriers: who waits sees them, or is seen here. */
	if (waitqueue_active(&dev->doomed_wait))
		wake_up(&dev->doomed_wait);
}

/* May this be done to that file? The server's limit of file sizes counts as well. */
static bool is_allowed(const struct abuse_target *target,
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

/* Most replies of a call name the same file: it is looked up once. NULL: there is none. */
static struct abuse_target *target_of(struct abuse_server *srv, u32 file,
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

/*
 * Gives a request that is claimed to the registered file that the reply names. 0: it is
 * the file's now, and begun when the tally is settled. -EINVAL: no such file, or not for
 * this; it is still claimed. -ESTALE: it was doomed, and is ended.
 */
int abuse_redirect(struct abuse_server *srv, struct abuse_slot *slot,
		   const struct abuse_reply *reply, struct abuse_tally *tally)
{
	struct abuse_device *dev = srv->dev;
	struct abuse_target *target = target_of(srv, reply->file, tally);
	struct abuse_redirect *r;

	if (!target || !is_allowed(target, slot->rq, reply->address))
		return -EINVAL;
	/* While the request is claimed the set-up does not end. */
	if (unlikely(READ_ONCE(target->epoch) != READ_ONCE(dev->epoch)))
		abuse_target_begin(target);
	if (!abuse_slot_try(slot, reply->id, ABUSE_CLAIMED_HELD,
			    ABUSE_REDIRECTED)) {
		abuse_end_doomed(dev, slot);
		return -ESTALE;
	}
	kref_get(&target->ref);
	r = &dev->redirects[slot - dev->slots];
	r->target = target;
	r->bio = slot->rq->bio;
	r->done = 0;
	r->pos = reply->address;
	r->under_way = false;
	r->refused = false;
	trace_abuse_redirected(dev, slot);
	abuse_job_append(&tally->jobs, &r->job);
	return 0;
}

/* A hint; for who has seen to it that no new ones come it is the truth. */
bool abuse_any_redirected(const struct abuse_device *dev)
{
	u32 i;

	for (i = 0; dev->redirects && i < dev->nr_slots; i++)
		if (abuse_word_state(abuse_slot_word(&dev->slots[i])) ==
		    ABUSE_REDIRECTED)
			return true;
	return false;
}

/* Before the first file. */
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
	/* Pairs with whoever finds a file, and with abuse_any_redirected(). */
	smp_store_release(&dev->redirects, redirects);
	return 0;
}

/*
 * With the last reference to the device: no file is registered, and none is left to be
 * closed.
 */
void abuse_redirect_stop(struct abuse_device *dev)
{
	if (!dev->redirects)
		return;
	abuse_lanes_stop(dev);
	kvfree(dev->redirects);
	dev->redirects = NULL;
}
