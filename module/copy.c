// SPDX-License-Identifier: GPL-2.0-only
/*
 * Bytes between the pages of a request and a server's memory. claim.c enters
 * with a claimed request and page faults are off while it is touched; between
 * two tries, without the claim, pages are faulted in. Knows no states or lists.
 */
#include <linux/bio.h>
#include <linux/compat.h>
#include <linux/highmem.h>
#include <linux/pagemap.h>
#include <linux/sched/signal.h>
#include <linux/uaccess.h>

#include "abuse.h"

/* Pages taken away again as fast as they are faulted in: give up some day. */
#define ABUSE_MAX_STALLS	1000

/* A 32-bit compiler sign-extends addresses into 64-bit fields. */
void __user *abuse_user_ptr(u64 address)
{
	if (in_compat_syscall())
		return (void __user *)(unsigned long)(u32)address;
	return u64_to_user_ptr(address);
}

/* Of the iovecs, which the caller keeps; -EFAULT if one is not user memory. */
int abuse_copy_init(struct abuse_copy *copy, bool to_server,
		    const struct iovec *iov, unsigned int nr_iov)
{
	unsigned int i;

	*copy = (struct abuse_copy) { .to_server = to_server };
	for (i = 0; i < nr_iov; i++) {
		if (!access_ok(iov[i].iov_base, iov[i].iov_len))
			return -EFAULT;
		copy->len += iov[i].iov_len;
	}
	if (nr_iov) {
		copy->piece = iov[0];
		copy->next = iov + 1;
		copy->end = iov + nr_iov;
	}
	return 0;
}

/*
 * As copy_page_to_iter() and its like do it: with the hooks of KASAN, KCSAN and KMSAN,
 * but without the check that an object of a slab may be copied. The pages are a file
 * system's as often as a user's (the journal of ext4 is written from slabs of its own,
 * which that check would not let pass), and access_ok() was asked above. Returns how
 * many bytes are missing.
 */
static __always_inline size_t abuse_copy_out(void __user *user, const void *at,
					     size_t len)
{
	instrument_copy_to_user(user, at, len);
	return raw_copy_to_user(user, at, len);
}

static __always_inline size_t abuse_copy_in(void *at, const void __user *user,
					    size_t len)
{
	size_t missed;

	instrument_copy_from_user_before(at, user, len);
	missed = raw_copy_from_user(at, user, len);
	instrument_copy_from_user_after(at, user, len, missed);
	return missed;
}

/* Between one place in kernel memory and the server's piece; returns how many bytes. */
static size_t abuse_copy_piece(struct abuse_copy *copy, void *at, size_t len)
{
	void __user *user = copy->piece.iov_base;

	len = min(len, copy->piece.iov_len);
	if (copy->to_server)
		len -= abuse_copy_out(user, at, len);
	else
		len -= abuse_copy_in(at, user, len);
	copy->piece.iov_base += len;
	copy->piece.iov_len -= len;
	copy->done += len;
	return len;
}

/* A segment, in one page, from the byte at skip; true: all of it was copied. */
static bool abuse_copy_segment(struct abuse_copy *copy, const struct bio_vec *bv,
			 size_t skip)
{
	void *at = kmap_local_page(bv->bv_page) + bv->bv_offset;

	for (;;) {
		skip += abuse_copy_piece(copy, at + skip, bv->bv_len - skip);
		/* Short, and not at the end of a piece: it would fault. */
		if (skip == bv->bv_len || copy->piece.iov_len ||
		    copy->next == copy->end)
			break;
		copy->piece = *copy->next++;
	}
	kunmap_local(at);
	if (!copy->to_server)
		flush_dcache_page(bv->bv_page);
	return skip == bv->bv_len;
}

static void abuse_copy_segments(struct abuse_copy *copy, struct request *rq)
{
	struct req_iterator iter;
	size_t skip = copy->done;
	struct bio_vec bv;

	rq_for_each_segment(bv, rq, iter) {
		if (skip >= bv.bv_len) {
			skip -= bv.bv_len;
			continue;
		}
		if (!abuse_copy_segment(copy, &bv, skip))
			return;
		skip = 0;
	}
}

/* Goes on where it stopped, without faulting; true when all is copied. */
bool abuse_copy_some(struct abuse_copy *copy, struct request *rq)
{
	pagefault_disable();
	abuse_copy_segments(copy, rq);
	pagefault_enable();
	return copy->done == copy->len;
}

/* What was missed of a piece, all of which one mapping shows. */
static __always_inline size_t abuse_copy_mapped_page(const struct bio_vec *bv,
					  void __user *user, bool to_server)
{
	void *at = kmap_local_page(bv->bv_page) + bv->bv_offset;
	size_t missed;

	missed = to_server ? abuse_copy_out(user, at, bv->bv_len) :
			     abuse_copy_in(at, user, bv->bv_len);
	kunmap_local(at);
	if (!to_server)
		flush_dcache_page(bv->bv_page);
	return missed;
}

static size_t abuse_copy_pieces(struct request *rq, void __user *user, bool to_server)
{
	struct req_iterator iter;
	size_t missed = 0;
	struct bio_vec bv;

	abuse_rq_for_each_piece(bv, rq, iter) {
		missed = abuse_copy_mapped_page(&bv, user, to_server);
		if (missed)
			break;
		user += bv.bv_len;
	}
	return missed;
}

/*
 * An optimisation of abuse_copy_some() for nearly every request: all of it from or to
 * one piece of the server's memory, which is there. False: some was not there, and none
 * counts; then abuse_copy_some() begins anew, and no result depends on which of both ran.
 */
bool abuse_copy_whole(struct request *rq, void __user *user, bool to_server)
{
	struct bio_vec bv = req_bvec(rq);
	size_t missed;

	if (!access_ok(user, blk_rq_bytes(rq)))
		return false;
	pagefault_disable();
	if (abuse_is_one_piece(&bv) && bv.bv_len == blk_rq_bytes(rq))
		missed = abuse_copy_mapped_page(&bv, user, to_server);
	else
		missed = abuse_copy_pieces(rq, user, to_server);
	pagefault_enable();
	return !missed;
}

/* May sleep for ever, killably (-EINTR): the caller holds no claim, no lock. */
int abuse_copy_fault_in(struct abuse_copy *copy)
{
	struct iovec rest = copy->piece;
	size_t left;

	if (copy->done != copy->stalled_at)
		copy->stalls = 0;
	copy->stalled_at = copy->done;
	if (++copy->stalls > ABUSE_MAX_STALLS)
		return -EFAULT;

	/* Reading makes a stack grow, which the next line alone does not. */
	if (copy->to_server)
		abuse_fault_in(rest.iov_base, rest.iov_len, false);
	left = abuse_fault_in(rest.iov_base, rest.iov_len, copy->to_server);
	if (fatal_signal_pending(current))
		return -EINTR;
	if (left == rest.iov_len)
		return -EFAULT;
	cond_resched();
	return 0;
}

void abuse_copy_zero(struct request *rq)
{
	struct bio *bio;

	__rq_for_each_bio(bio, rq)
		zero_fill_bio(bio);
}
