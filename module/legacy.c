// SPDX-License-Identifier: GPL-2.0-only
// Copyright (C) 2026 the abuse authors
/*
 * The calls of 2009: status, GET_BIO, PUT_BIO, readiness. A request that GET_BIO returned
 * stays pending, and any process may complete it; PUT_BIO claims it.
 */
#include <linux/kdev_t.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>
#include <linux/uaccess.h>

#include "abuse.h"
#include "trace.h"

/* The last 4 bytes of the 64-bit struct do not exist for i386. */
#define ABUSE_INFO_SIZE	offsetofend(struct abuse_info, ab_max_vecs)

long abuse_get_status(struct abuse_server *srv, void __user *arg)
{
	struct abuse_device *dev = srv->dev;
	struct abuse_info info;

	memset(&info, 0, sizeof(info));
	info.ab_device = new_encode_dev(READ_ONCE(dev->devt));
	info.ab_number = dev->number;
	info.ab_max_vecs = ABUSE_MAX_VECS;
	spin_lock(&dev->lock);
	if (dev->state == ABUSE_S_UP) {
		info.ab_size = dev->params.capacity;
		info.ab_blocksize = dev->params.logical_block_size;
		info.ab_max_queue = dev->queue_limit;
		if (dev->params.flags & ABUSE_PARAMS_READ_ONLY)
			info.ab_flags = ABUSE_FLAGS_READ_ONLY;
	}
	info.ab_errors = abuse_stats_since_set_up(dev).errors;
	spin_unlock(&dev->lock);
	info.ab_queue_size = abuse_count_unanswered(dev);
	return copy_to_user(arg, &info, ABUSE_INFO_SIZE) ? -EFAULT : 0;
}

long abuse_set_status(struct abuse_server *srv, void __user *arg)
{
	struct abuse_params params;
	struct abuse_info info = { };
	int err;

	if (copy_from_user(&info, arg, ABUSE_INFO_SIZE))
		return -EFAULT;
	err = abuse_params_from_info(&info, &params);
	if (err)
		return err;
	/* The caller of 2009 does not know the depth of the device. */
	params.queue_limit = min(params.queue_limit, srv->dev->nr_slots);
	if (info.ab_flags & ABUSE_FLAGS_RECONNECT) {
		err = abuse_device_reconnect(srv, &params);
		if (err != -ENXIO)
			return err;
	}
	return abuse_device_set_up(srv, &params, false);
}

static u32 abuse_legacy_command(const struct request *rq)
{
	switch (req_op(rq)) {
	case REQ_OP_READ:
		return ABUSE_READ;
	case REQ_OP_FLUSH:
		return ABUSE_SYNC_NOTIFICATION;
	default:
		return ABUSE_WRITE;
	}
}

static u64 abuse_legacy_sector(const struct request *rq)
{
	return req_op(rq) == REQ_OP_FLUSH ? 0 : blk_rq_pos(rq);
}

/*
 * The vecs of a request: pieces that touch in memory are one, so that there
 * are no more than the segments the block layer counted. Fills vecs unless it is
 * NULL; returns how many, or -EIO if the block layer counted wrong.
 */
static int abuse_describe_vecs(struct request *rq, struct abuse_vec *vecs)
{
	struct req_iterator iter;
	phys_addr_t end = 0;
	struct bio_vec bv;
	u32 len = 0;
	int n = 0;

	if (!rq->bio || !bio_has_data(rq->bio))
		return 0;
	rq_for_each_bvec(bv, rq, iter) {
		phys_addr_t start = page_to_phys(bv.bv_page) + bv.bv_offset;

		if (n && start == end) {
			len += bv.bv_len;
		} else {
			if (WARN_ON_ONCE(n == ABUSE_MAX_VECS))
				return -EIO;
			n++;
			len = bv.bv_len;
			if (vecs) {
				vecs[n - 1].ab_address = 0;
				vecs[n - 1].ab_offset = offset_in_page(start);
			}
		}
		end = start + bv.bv_len;
		if (vecs)
			vecs[n - 1].ab_len = len;
	}
	return n;
}

/* For poll mode 1: notes that GET_BIO gave this request to this descriptor. */
static void abuse_remember_handed(struct abuse_server *srv, struct abuse_slot *slot,
			    u64 id)
{
	u64 *handed = &srv->handed[slot - srv->dev->slots];

	lockdep_assert_held(&srv->dev->lock);
	lockdep_assert_held(&abuse_queue_of(srv->dev, slot)->lock);
	if (*handed == id)
		return;
	*handed = id;
	slot->handed++;
}

/* True: no live descriptor has this request from GET_BIO any more. */
static bool abuse_forget_one_handed(struct abuse_device *dev, u64 id)
{
	struct abuse_queue *queue;
	struct abuse_slot *slot;
	bool fresh = false;
	u64 word;

	slot = abuse_slot_find(dev, id, &word);
	if (!slot)
		return false;
	queue = abuse_queue_of(dev, slot);
	spin_lock(&queue->lock);
	if (abuse_slot_find(dev, id, &word) && slot->handed)
		fresh = !--slot->handed;
	spin_unlock(&queue->lock);
	return fresh;
}

void abuse_forget_handed(struct abuse_server *srv)
{
	struct abuse_device *dev = srv->dev;
	bool fresh = false;
	u32 i;

	if (!srv->handed)
		return;
	for (i = 0; i < dev->nr_slots; i++)
		if (srv->handed[i] && abuse_forget_one_handed(dev, srv->handed[i]))
			fresh = true;
	if (fresh)
		abuse_wake_all(dev);
}

static bool abuse_has_fresh_request(struct abuse_queue *queue)
{
	struct abuse_slot *slot;
	bool fresh = false;

	spin_lock(&queue->lock);
	list_for_each_entry(slot, &queue->pending, node) {
		fresh = !slot->handed;
		if (fresh)
			break;
	}
	spin_unlock(&queue->lock);
	return fresh;
}

bool abuse_poll_ready(struct abuse_server *srv)
{
	struct abuse_device *dev = srv->dev;
	u32 i;

	if (!READ_ONCE(srv->poll_mode))
		return abuse_any_pending(dev);
	for (i = 0; i < dev->hw_queues; i++)
		if (abuse_has_fresh_request(&dev->queues[i]))
			return true;
	return false;
}

static int abuse_alloc_handed(struct abuse_server *srv)
{
	struct abuse_device *dev = srv->dev;
	u64 *handed;

	if (READ_ONCE(srv->handed))
		return 0;
	handed = kvcalloc(dev->nr_slots, sizeof(*handed), GFP_KERNEL_ACCOUNT);
	if (!handed)
		return -ENOMEM;
	spin_lock(&dev->lock);
	if (!srv->handed) {
		WRITE_ONCE(srv->handed, handed);
		handed = NULL;
	}
	spin_unlock(&dev->lock);
	kvfree(handed);
	return 0;
}

/* Describes the oldest request of a queue and moves it to the tail; it stays pending. */
static int abuse_get_from_queue(struct abuse_server *srv, struct abuse_queue *queue,
		    struct abuse_xfr_hdr *hdr, struct abuse_vec *vecs)
{
	struct abuse_device *dev = srv->dev;
	struct abuse_slot *slot;
	int n;

	lockdep_assert_held(&queue->lock);
	slot = list_first_entry_or_null(&queue->pending, struct abuse_slot,
					node);
	if (!slot)
		return -ENOMSG;
	n = abuse_describe_vecs(slot->rq, vecs);
	if (n < 0)
		return n;
	list_move_tail(&slot->node, &queue->pending);
	hdr->ab_id = abuse_slot_id(dev, slot);
	hdr->ab_command = abuse_legacy_command(slot->rq);
	hdr->ab_sector = abuse_legacy_sector(slot->rq);
	hdr->ab_vec_count = n;
	abuse_remember_handed(srv, slot, hdr->ab_id);
	trace_abuse_handed_out(dev, slot);
	return 0;
}

/* The queues of a device take turns. */
static int abuse_get_oldest_request(struct abuse_server *srv, struct abuse_xfr_hdr *hdr,
		      struct abuse_vec *vecs)
{
	struct abuse_device *dev = srv->dev;
	struct abuse_queue *queue;
	int err;
	u32 i;

	spin_lock(&dev->lock);
	err = abuse_server_check(srv);
	if (err)
		goto out_unlock;
	if (dev->state == ABUSE_S_UP && (dev->features & ABUSE_BEYOND_2009)) {
		err = -EOPNOTSUPP;
		goto out_unlock;
	}
	err = -ENOMSG;
	for (i = 0; i < dev->hw_queues && err == -ENOMSG; i++) {
		queue = &dev->queues[dev->get_turn++ % dev->hw_queues];
		spin_lock(&queue->lock);
		err = abuse_get_from_queue(srv, queue, hdr, vecs);
		spin_unlock(&queue->lock);
	}
	if (err == -ENOMSG) {
		hdr->ab_id = 0;
		hdr->ab_vec_count = 0;
		hdr->ab_transfer_address = 0;
	}
out_unlock:
	spin_unlock(&dev->lock);
	return err;
}

long abuse_get_bio(struct abuse_server *srv, void __user *arg)
{
	struct abuse_vec *vecs = NULL;
	struct abuse_xfr_hdr hdr;
	long ret;

	if (copy_from_user(&hdr, arg, sizeof(hdr)))
		return -EFAULT;
	ret = abuse_alloc_handed(srv);
	if (ret)
		return ret;
	if (hdr.ab_transfer_address) {
		vecs = kcalloc(ABUSE_MAX_VECS, sizeof(*vecs), GFP_KERNEL_ACCOUNT);
		if (!vecs)
			return -ENOMEM;
	}
	ret = abuse_get_oldest_request(srv, &hdr, vecs);
	if (ret && ret != -ENOMSG)
		goto out_free;
	abuse_device_is_served(srv);
	abuse_server_asks(srv, false);
	if (copy_to_user(arg, &hdr, sizeof(hdr)))
		ret = -EFAULT;
	if (!ret && vecs &&
	    copy_to_user(abuse_user_ptr(hdr.ab_transfer_address), vecs,
			 hdr.ab_vec_count * sizeof(*vecs)))
		ret = -EFAULT;
out_free:
	kfree(vecs);
	return ret;
}

struct put_scratch {
	struct abuse_vec asked[ABUSE_MAX_VECS];	/* the caller's addresses */
	struct abuse_vec ours[ABUSE_MAX_VECS];	/* the request's lengths */
	struct iovec iov[ABUSE_MAX_VECS];
};

/* Do sector, command and vec count of the header match the request? */
static int abuse_check_reply_matches(struct request *rq, const struct abuse_xfr_hdr *hdr,
			 struct put_scratch *scratch)
{
	int n = abuse_describe_vecs(rq, scratch->ours);

	if (n < 0)
		return n;
	if (hdr->ab_command != abuse_legacy_command(rq) || hdr->ab_vec_count != n ||
	    hdr->ab_sector != abuse_legacy_sector(rq))
		return -EINVAL;
	return 0;
}

/* Reads the lengths of the pieces, without a claim: the caller's vecs are copied in first. */
static int abuse_look_at_pending_slot(const struct abuse_claim *claim,
			   const struct abuse_xfr_hdr *hdr,
			   struct put_scratch *scratch)
{
	struct abuse_slot *slot = abuse_claim_find(claim);
	struct abuse_queue *queue;
	int err;

	if (!slot)
		return abuse_server_check(claim->srv) ?: -ENOMSG;
	queue = abuse_queue_of(claim->srv->dev, slot);
	spin_lock(&queue->lock);
	err = abuse_check_pending(claim, slot);
	if (!err)
		err = abuse_check_reply_matches(slot->rq, hdr, scratch);
	spin_unlock(&queue->lock);
	return err;
}

static int abuse_read_vecs(struct abuse_copy *copy, const struct abuse_xfr_hdr *hdr,
		     struct put_scratch *scratch)
{
	unsigned int i;

	if (copy_from_user(scratch->asked,
			   abuse_user_ptr(hdr->ab_transfer_address),
			   hdr->ab_vec_count * sizeof(scratch->asked[0])))
		return -EFAULT;
	for (i = 0; i < hdr->ab_vec_count; i++) {
		scratch->iov[i].iov_base =
			abuse_user_ptr(scratch->asked[i].ab_address);
		scratch->iov[i].iov_len = scratch->ours[i].ab_len;
	}
	return abuse_copy_init(copy, hdr->ab_command == ABUSE_WRITE,
			       scratch->iov, hdr->ab_vec_count);
}

static int abuse_put_one_request(struct abuse_claim *claim, const struct abuse_xfr_hdr *hdr,
		   struct put_scratch *scratch)
{
	bool failed = hdr->ab_result == ABUSE_RESULT_MEDIA_FAILURE;
	struct abuse_copy copy;
	int err;

	err = abuse_look_at_pending_slot(claim, hdr, scratch);
	if (!err && !failed)
		err = abuse_read_vecs(&copy, hdr, scratch);
	if (!err)
		err = abuse_claim(claim);
	if (!err && !failed)
		err = abuse_claim_copy(claim, &copy);
	if (err)
		return err;
	trace_abuse_answered(claim->srv->dev, claim->slot, failed ? EIO : 0);
	return abuse_claim_end(claim, failed ? EIO : 0) ? 0 : -ENOMSG;
}

long abuse_put_bio(struct abuse_server *srv, void __user *arg)
{
	struct abuse_device *dev = srv->dev;
	struct abuse_tally tally = { };
	struct abuse_claim claim = { .srv = srv, .tally = &tally };
	struct put_scratch *scratch;
	struct abuse_xfr_hdr hdr;
	long ret;

	if (copy_from_user(&hdr, arg, sizeof(hdr)))
		return -EFAULT;
	if (READ_ONCE(dev->state) == ABUSE_S_UP &&
	    (READ_ONCE(dev->features) & ABUSE_BEYOND_2009))
		return -EOPNOTSUPP;
	switch (hdr.ab_result) {
	case ABUSE_RESULT_OKAY:
	case ABUSE_RESULT_MEDIA_FAILURE:
		break;
	case ABUSE_RESULT_DEVICE_FAILURE:
		return abuse_device_fail(srv);
	default:
		return -EINVAL;
	}
	scratch = kvmalloc(sizeof(*scratch), GFP_KERNEL_ACCOUNT);
	if (!scratch)
		return -ENOMEM;
	claim.id = hdr.ab_id;
	ret = abuse_put_one_request(&claim, &hdr, scratch);
	kvfree(scratch);
	abuse_settle(dev, &tally);
	return ret;
}
