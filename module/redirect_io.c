// SPDX-License-Identifier: GPL-2.0-only
// Copyright (C) 2026 the abuse authors
/*
 * The I/O of a redirected request on its file, with the credentials of the process that
 * registered the file and the cgroup of the submitter: one bio at a time, so that nothing has to
 * be allocated. A worker (lanes.c) is here for as long as the file makes it wait.
 */
#include <linux/cred.h>
#include <linux/falloc.h>
#include <linux/pagemap.h>
#include <linux/uio.h>

#include "redirect.h"

#define ABUSE_WORKER_FLAGS	(PF_LOCAL_THROTTLE | PF_MEMALLOC_NOIO)

/* ---- credentials and cgroup of the I/O ---------------------------------------- */

/* Credentials, flags and cgroup of a worker, saved while it has those of one request. */
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

/* Whether the data of the request has to be on stable storage when the request ends. */
static bool abuse_redirect_is_durable(const struct abuse_redirect *r,
				      const struct request *rq)
{
	if (rq->cmd_flags & REQ_FUA)
		return true;
	return r->mapped && op_is_write(req_op(rq)) &&
	       !(r->dev->features & ABUSE_F_WRITE_CACHE);
}

/*
 * A page that leaves memory for swap space must not need another one in the file's cache. A file
 * in memory, or one whose file system has no disk, could take all of the reserves.
 */
static bool abuse_redirect_swaps(const struct abuse_redirect *r)
{
	return (r->bio->bi_opf & REQ_SWAP) && r->target->can_swap_directly &&
	       !r->refused && abuse_redirect_is_aligned(r);
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
 * For a write to swap space: it takes little memory, from the reserves, and gives some. With
 * PF_MEMALLOC alone it would look like direct reclaim, in which file systems refuse to write back.
 */
#define ABUSE_SWAP_FLAGS	(PF_MEMALLOC | PF_KSWAPD)

static ssize_t abuse_redirect_swap_out(struct abuse_redirect *r)
{
	struct file *file = r->target->file;
	unsigned int flags = current->flags;
	ssize_t ret;

	r->iocb.ki_flags |= IOCB_DIRECT;
	/*
	 * Swap space need not outlive a power cut. ext4 refuses, with a warning, to write an
	 * inode back for a task that uses the reserves.
	 */
	r->iocb.ki_flags &= ~(IOCB_DSYNC | IOCB_SYNC);
	/*
	 * Somebody may read the former bytes into the page cache meanwhile. That of a disk, unlike
	 * that of a file, is cleared of them after a synchronous write alone.
	 */
	if (S_ISBLK(file_inode(file)->i_mode))
		r->iocb.ki_complete = NULL;
	current->flags |= ABUSE_SWAP_FLAGS;
	ret = abuse_iocb_write(file, &r->iocb, &r->iter);
	current_restore_flags(flags, ABUSE_SWAP_FLAGS);
	return ret;
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
	if (abuse_redirect_swaps(r))
		return abuse_redirect_swap_out(r);
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

/* ---- entry ---------------------------------------------------------------------- */

/* Begins or continues the I/O. True: it has ended. False: abuse_redirect_io_done() continues it. */
bool abuse_redirect_io(struct abuse_redirect *r, struct request *rq)
{
	struct abuse_io_context context;
	int err;

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
