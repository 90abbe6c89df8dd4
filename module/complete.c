// SPDX-License-Identifier: GPL-2.0-only
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

static void end_batch(struct io_comp_batch *batch)
{
	if (!batch->complete)
		return;
	local_bh_disable();
	batch->complete(batch);
	local_bh_enable();
}

/* For all that a call answered so far: its end, counts, room within the limit. */
void abuse_settle(struct abuse_device *dev, struct abuse_tally *tally)
{
	if (!tally->served && !tally->failed)
		return;
	end_batch(&tally->batch);
	abuse_count(dev, served, tally->served);
	if (tally->failed)
		abuse_count(dev, errors, tally->failed);
	if (tally->counted)
		abuse_uncount(dev, tally->counted);
	memset(tally, 0, sizeof(*tally));
}

/* What is left of a claimed request once its slot is free. */
static __always_inline void end_claimed(struct request *rq, u32 error,
					bool counted, struct abuse_tally *tally)
{
	if (error || !blk_mq_add_to_batch(rq, &tally->batch, false,
					  blk_mq_end_request_batch))
		abuse_end(rq, error);
	tally->counted += counted;
	if (error)
		tally->failed++;
	else
		tally->served++;
}

static bool free_pending(struct abuse_claim *claim)
{
	return abuse_slot_try(claim->slot, claim->id, ABUSE_CLAIMED_PENDING,
			      ABUSE_FREE);
}

static bool free_held(struct abuse_slot *slot, u64 id)
{
	return abuse_slot_try(slot, id, ABUSE_CLAIMED_HELD, ABUSE_FREE);
}

/* Ends a claimed request. False: it was doomed, and ended with EIO instead. */
bool abuse_claim_end(struct abuse_claim *claim, u32 error)
{
	struct abuse_slot *slot = claim->slot;
	struct request *rq = slot->rq;
	bool counted = slot->counted;

	if (claim->held ? free_held(slot, claim->id) : free_pending(claim)) {
		end_claimed(rq, error, counted, claim->tally);
		return true;
	}
	abuse_end_doomed(claim->srv->dev, slot);
	return false;
}

/* ---- one reply ------------------------------------------------------------ */

static bool reply_is_valid(const struct abuse_reply *reply, u32 op)
{
	if (reply->reserved || (reply->flags & ~ABUSE_REPLY_ZERO))
		return false;
	if ((reply->flags & ABUSE_REPLY_ZERO) && op != ABUSE_OP_READ)
		return false;
	return !reply->result || !abuse_result_check(op, reply->result);
}

static noinline int refuse(struct abuse_claim claim)
{
	return abuse_unclaim(&claim) ? -EINVAL : -ESTALE;
}

/* From the beginning and as often as it takes: some of the memory is not there. */
static noinline int copy_read(struct abuse_claim claim, void __user *from)
{
	struct iovec iov = {
		.iov_base = from, .iov_len = blk_rq_bytes(claim.slot->rq),
	};
	struct abuse_copy copy;
	int err;

	err = abuse_copy_init(&copy, false, &iov, 1);
	if (!err)
		return abuse_claim_copy(&claim, &copy);
	return abuse_unclaim(&claim) ? err : -ESTALE;
}

/* 0: taken. -ESTALE: not held by us. -EINVAL, -EFAULT, -EINTR: still held. */
static __always_inline int answer_one(struct abuse_server *srv,
				      const struct abuse_reply *reply,
				      struct abuse_tally *tally)
{
	struct abuse_slot *slot = abuse_claim_held(srv, reply->id);
	struct abuse_claim claim = {
		.srv = srv, .id = reply->id, .held = true, .slot = slot,
		.tally = tally,
	};
	void __user *from = abuse_user_ptr(reply->address);
	struct request *rq;
	bool counted;
	u32 op;
	int err;

	if (!slot)
		return -ESTALE;
	rq = slot->rq;
	op = abuse_rq_op(rq);
	if (!reply_is_valid(reply, op))
		return refuse(claim);

	if (op == ABUSE_OP_READ && !reply->result) {
		if (reply->flags & ABUSE_REPLY_ZERO) {
			abuse_copy_zero(rq);
		} else if (!abuse_copy_whole(rq, from, false)) {
			err = copy_read(claim, from);
			if (err)
				return err;
		}
	}
	trace_abuse_answered(srv->dev, slot, reply->result);
	counted = slot->counted;
	if (!free_held(slot, reply->id)) {
		abuse_end_doomed(srv->dev, slot);
		return -ESTALE;
	}
	end_claimed(rq, reply->result, counted, tally);
	return 0;
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
		err = answer_one(srv, reply, &tally);
		reply->status = err == -EINTR ? EFAULT : -err;
		taken += !err;
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
