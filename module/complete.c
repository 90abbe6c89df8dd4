// SPDX-License-Identifier: GPL-2.0-only
// Copyright (C) 2026 the abuse authors
/*
 * A held request is answered: exchange.c enters with one reply; it is matched,
 * checked, its bytes are copied, and the request ends. Knows nothing of the
 * pending list.
 */
#include "abuse.h"
#include "trace.h"

/*
 * Hands a request back to the block layer. With bottom halves off, so that a
 * final close in its completion goes to a worker and not to this server, which
 * may be the one that has to answer what that close writes back.
 */
void abuse_end(struct request *rq, u32 error)
{
	local_bh_disable();
	blk_mq_end_request(rq, errno_to_blk_status(-(int)error));
	local_bh_enable();
}

/* Bottom halves are off for the reason that abuse_end() has. */
static void abuse_end_batch(struct abuse_tally *tally)
{
	if (!tally->nr_batch)
		return;
	local_bh_disable();
	tally->batch.complete(&tally->batch);
	local_bh_enable();
}

/*
 * For all that a call answered so far: files begin, or it ends; counts, room within the
 * limit.
 */
void abuse_settle(struct abuse_device *dev, struct abuse_tally *tally)
{
	if (tally->jobs.first) {
		abuse_lane_append(dev, &tally->jobs);
		tally->jobs.first = NULL;
	}
	if (tally->target) {
		abuse_target_put(tally->target);
		tally->target = NULL;
	}
	if (!tally->served && !tally->failed)
		return;
	abuse_end_batch(tally);
	abuse_count(dev, served, tally->served);
	if (tally->bytes)
		abuse_count(dev, bytes, tally->bytes);
	if (tally->failed) {
		abuse_count(dev, errors, tally->failed);
		abuse_count(dev, refused, tally->failed);
	}
	if (tally->counted)
		abuse_uncount(dev, tally->counted);
	memset(tally, 0, sizeof(*tally));
}

/* A request whose slot is about to be free. */
struct leaving {
	struct request *rq;
	bool counted;
};

static __always_inline struct leaving abuse_leave_queue(const struct abuse_slot *slot)
{
	return (struct leaving) {
		.rq = slot->rq, .counted = slot->counted,
	};
}

/* One that a server answers. */
static __always_inline struct leaving
abuse_leave_server(struct abuse_device *dev, const struct abuse_slot *slot)
{
	if (unlikely(abuse_device_is_users(dev)))
		abuse_note_answer(dev, slot);
	return abuse_leave_queue(slot);
}

static __always_inline void abuse_end_answered_request(struct abuse_device *dev,
					 struct abuse_tally *tally,
					 const struct leaving *it, u32 error)
{
	tally->counted += it->counted;
	abuse_latency_note(dev, it->rq);
	if (req_op(it->rq) == REQ_OP_READ || req_op(it->rq) == REQ_OP_WRITE)
		tally->bytes += blk_rq_bytes(it->rq);
	/* Lost bytes stay lost, whoever answers. */
	else if (req_op(it->rq) == REQ_OP_FLUSH && !error &&
		 READ_ONCE(dev->sync_failed))
		error = EIO;
	if (error)
		tally->failed++;
	else
		tally->served++;
	if (error || !blk_mq_add_to_batch(it->rq, &tally->batch, false,
					  blk_mq_end_request_batch)) {
		abuse_end(it->rq, error);
		return;
	}
	tally->nr_batch++;
}

/* That the submitter itself has filled in, from a page cache. */
void abuse_end_in_place(struct abuse_device *dev, struct request *rq,
			struct abuse_tally *tally)
{
	abuse_latency_note(dev, rq);
	tally->served++;
	tally->bytes += blk_rq_bytes(rq);
	if (blk_mq_add_to_batch(rq, &tally->batch, false, blk_mq_end_request_batch))
		tally->nr_batch++;
	else
		abuse_end(rq, 0);
}

/* That a file answered. */
void abuse_end_redirected(struct abuse_device *dev, struct abuse_slot *slot,
			  struct abuse_tally *tally, u32 error)
{
	struct leaving it = abuse_leave_queue(slot);

	abuse_slot_move_sure(slot, ABUSE_FREE);
	abuse_end_answered_request(dev, tally, &it, error);
}

static bool abuse_free_claimed_slot(const struct abuse_claim *claim)
{
	if (claim->held)
		return abuse_slot_try(claim->slot, claim->id,
				      ABUSE_CLAIMED_HELD, ABUSE_FREE);
	return abuse_slot_try(claim->slot, claim->id, ABUSE_CLAIMED_PENDING,
			      ABUSE_FREE);
}

/* Ends a claimed request. False: it was doomed, and ended with EIO instead. */
bool abuse_claim_end(struct abuse_claim *claim, u32 error)
{
	struct leaving it = abuse_leave_server(claim->srv->dev, claim->slot);

	if (abuse_free_claimed_slot(claim)) {
		abuse_end_answered_request(claim->srv->dev, claim->tally, &it, error);
		return true;
	}
	abuse_end_doomed(claim->srv->dev, claim->slot);
	return false;
}

/* ---- one reply ------------------------------------------------------------ */

static bool abuse_is_reply_valid(const struct abuse_reply *reply,
			   const struct request *rq, u32 op)
{
	if (likely(!(reply->reserved | reply->flags | reply->result)))
		return true;
	if (reply->flags == ABUSE_REPLY_REDIRECT)
		return !reply->result && !(rq->cmd_flags & REQ_ATOMIC);
	if (reply->flags == ABUSE_REPLY_STORE)
		return op == ABUSE_OP_WRITE &&
		       !(rq->cmd_flags & (REQ_FUA | REQ_ATOMIC)) &&
		       !(reply->result | reply->reserved);
	if (reply->reserved || (reply->flags & ~ABUSE_REPLY_ZERO))
		return false;
	if ((reply->flags & ABUSE_REPLY_ZERO) && op != ABUSE_OP_READ)
		return false;
	return !abuse_result_check(op, reply->result);
}

static noinline int abuse_refuse_reply(struct abuse_server *srv, struct abuse_slot *slot,
			   u64 id)
{
	struct abuse_claim claim = {
		.srv = srv, .id = id, .held = true, .slot = slot,
	};

	return abuse_unclaim(&claim) ? -EINVAL : -ESTALE;
}

/* From the beginning and as often as it takes: some of the memory is not there. */
static noinline int abuse_copy_payload_in_steps(struct abuse_server *srv,
				    struct abuse_slot *slot,
				    const struct abuse_reply *reply,
				    bool to_server, struct abuse_tally *tally)
{
	struct abuse_claim claim = {
		.srv = srv, .id = reply->id, .held = true, .slot = slot,
		.tally = tally,
	};
	struct iovec iov = {
		.iov_base = abuse_user_ptr(reply->address),
		.iov_len = blk_rq_bytes(slot->rq),
	};
	struct abuse_copy copy;
	int err;

	err = abuse_copy_init(&copy, to_server, &iov, 1);
	if (!err)
		return abuse_claim_copy(&claim, &copy);
	return abuse_unclaim(&claim) ? err : -ESTALE;
}

/* A READ's bytes come from where the reply says, a WRITE's go there. Errors as below. */
static __always_inline int abuse_copy_payload(struct abuse_server *srv,
					struct abuse_slot *slot,
					const struct abuse_reply *reply,
					struct abuse_tally *tally)
{
	bool to_server = reply->flags & ABUSE_REPLY_STORE;

	if (reply->flags & ABUSE_REPLY_ZERO) {
		abuse_copy_zero(slot->rq);
		return 0;
	}
	if (abuse_copy_whole(slot->rq, abuse_user_ptr(reply->address),
			     to_server))
		return 0;
	return abuse_copy_payload_in_steps(srv, slot, reply, to_server, tally);
}

/* 0: taken. -ESTALE: not held by us. -EINVAL, -EFAULT, -EINTR: still held. */
static __always_inline int abuse_answer_one_reply(struct abuse_server *srv,
				      const struct abuse_reply *reply,
				      struct abuse_tally *tally)
{
	struct abuse_slot *slot = abuse_claim_held(srv, reply->id);
	struct leaving it;
	u32 op;
	int err;

	if (!slot)
		return -ESTALE;
	op = abuse_rq_op(slot->rq);
	if (!abuse_is_reply_valid(reply, slot->rq, op))
		return abuse_refuse_reply(srv, slot, reply->id);
	if (reply->flags & ABUSE_REPLY_REDIRECT) {
		err = abuse_redirect(srv, slot, reply, tally);
		return err == -EINVAL ? abuse_refuse_reply(srv, slot, reply->id) : err;
	}

	if (op == ABUSE_OP_READ ? !reply->result :
				  reply->flags & ABUSE_REPLY_STORE) {
		err = abuse_copy_payload(srv, slot, reply, tally);
		if (err)
			return err;
	}
	trace_abuse_answered(srv->dev, slot, reply->result);
	it = abuse_leave_server(srv->dev, slot);
	if (!abuse_slot_try(slot, reply->id, ABUSE_CLAIMED_HELD, ABUSE_FREE)) {
		abuse_end_doomed(srv->dev, slot);
		return -ESTALE;
	}
	abuse_end_answered_request(srv->dev, tally, &it, reply->result);
	return 0;
}

/* In the middle of a batch: what was answered so far need not wait for the rest. */
static noinline void abuse_pause(struct abuse_device *dev, struct abuse_tally *tally)
{
	abuse_settle(dev, tally);
	cond_resched();
}

/* Each reply on its own; what went wrong with one is its status. How many taken. */
unsigned int abuse_answer(struct abuse_server *srv,
			  struct abuse_reply *replies, unsigned int n)
{
	struct abuse_reply *reply, *end = replies + n;
	struct abuse_tally tally = { };
	unsigned int taken = 0;
	int err;

	for (reply = replies; reply < end; reply++) {
		err = abuse_answer_one_reply(srv, reply, &tally);
		reply->status = err == -EINTR ? EFAULT : -err;
		taken += !err;
		if (unlikely(tally.bytes >= ABUSE_COPY_AT_ONCE))
			abuse_pause(srv->dev, &tally);
	}
	abuse_settle(srv->dev, &tally);
	return taken;
}

/* ---- a WRITE's bytes ---------------------------------------------------------- */

/*
 * The bytes of a WRITE that srv holds, to the server. 0: copied, still held.
 * -ESTALE: gone. -EFAULT, -EINTR: still held.
 */
int abuse_take_payload(struct abuse_server *srv, u64 id, void __user *to,
		       size_t len)
{
	struct abuse_claim claim = { .srv = srv, .id = id, .held = true };
	struct iovec iov = { .iov_base = to, .iov_len = len };
	struct abuse_copy copy;
	int err;

	err = abuse_copy_init(&copy, true, &iov, 1);
	if (!err)
		err = abuse_claim(&claim);
	if (!err && !abuse_copy_whole(claim.slot->rq, to, true))
		err = abuse_claim_copy(&claim, &copy);
	if (err)
		return err;
	return abuse_unclaim(&claim) ? 0 : -ESTALE;
}
