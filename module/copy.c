// SPDX-License-Identifier: GPL-2.0-only
// Copyright (C) 2026 the abuse authors
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

/* Another thread may unmap pages as fast as they are faulted in: give up after so many tries. */
#define ABUSE_MAX_STALLS	1000

/* A 32-bit compiler sign-extends addresses into 64-bit fields. */
void __user *abuse_user_ptr(u64 address)
{
	if (in_compat_syscall())
		return (void __user *)(unsigned long)(u32)address;
	return u64_to_user_ptr(address);
}

/* The iovecs stay the caller's; -EFAULT if one is not user memory. */
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
 * Copies like copy_page_to_iter(): with the hooks of KASAN, KCSAN and KMSAN, but without
 * the check of hardened usercopy. That check refuses pages of a slab, and file systems
 * write from slabs (ext4 its journal). abuse_copy_init() called access_ok(). Returns the
 * number of bytes that were not copied.
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

/* Copies between kernel memory and the present iovec of the server; returns the number of bytes. */
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

/* Copies a segment, which lies in one page, from byte skip on; true: all of it was copied. */
static bool abuse_copy_segment(struct abuse_copy *copy, const struct bio_vec *bv,
			 size_t skip)
{
	void *at = kmap_local_page(bv->bv_page) + bv->bv_offset;

	for (;;) {
		skip += abuse_copy_piece(copy, at + skip, bv->bv_len - skip);
		/* The copy stopped inside an iovec, so its next page must be faulted in. */
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

/* Continues the copy without page faults; true when all is copied. */
bool abuse_copy_some(struct abuse_copy *copy, struct request *rq)
{
	pagefault_disable();
	abuse_copy_segments(copy, rq);
	pagefault_enable();
	return copy->done == copy->len;
}

/* Copies a piece that one mapping covers; returns the number of bytes that were not copied. */
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
 * A fast path of abuse_copy_some() for most requests: all data is in one piece of the
 * server's memory, and all of its pages are present. False: a page was missing; then
 * abuse_copy_some() copies everything again, with the same result.
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

/* May sleep without limit, but killably (-EINTR). The caller holds neither a claim nor a lock. */
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
