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

static bool reply_is_valid(const struct abuse_reply *reply, u32 op)
{
	if (reply->flags == ABUSE_REPLY_REDIRECT)
		return !reply->result;
	if (reply->reserved || (reply->flags & ~ABUSE_REPLY_ZERO))
		return false;
	if ((reply->flags & ABUSE_REPLY_ZERO) && op != ABUSE_OP_READ)
		return false;
	return !abuse_result_check(op, reply->result);
}

static int copy_read(struct abuse_claim *claim, u64 address)
{
	struct iovec iov = {
		.iov_base = abuse_user_ptr(address),
		.iov_len = blk_rq_bytes(claim->slot->rq),
	};
	struct abuse_copy copy;
	int err;

	err = abuse_copy_init(&copy, false, &iov, 1);
	if (err) {
		abuse_unclaim(claim);
		return err;
	}
	return abuse_claim_copy(claim, &copy);
}

/* 0: taken. -ESTALE: not held by us. -EINVAL, -EFAULT, -EINTR: still held. */
int abuse_reply(struct abuse_server *srv, const struct abuse_reply *reply,
		struct abuse_tally *tally)
{
	struct abuse_claim claim = {
		.srv = srv, .id = reply->id, .held = true, .tally = tally,
	};
	struct request *rq;
	u32 op;
	int err;

	err = abuse_claim(&claim);
	if (err)
		return err;
	rq = claim.slot->rq;
	op = abuse_rq_op(rq);
	if (!reply_is_valid(reply, op))
		return abuse_unclaim(&claim) ? -EINVAL : -ESTALE;
	if (reply->flags & ABUSE_REPLY_REDIRECT)
		return abuse_redirect(&claim, reply->file, reply->address);

	if (op == ABUSE_OP_READ && !reply->result) {
		if (reply->flags & ABUSE_REPLY_ZERO) {
			abuse_copy_zero(rq);
		} else {
			err = copy_read(&claim, reply->address);
			if (err)
				return err;
		}
	}
	trace_abuse_answered(srv->dev, claim.slot, reply->result);
	return abuse_claim_end(&claim, reply->result) ? 0 : -ESTALE;
}

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
	if (!err)
		err = abuse_claim_copy(&claim, &copy);
	if (err)
		return err;
	return abuse_unclaim(&claim) ? 0 : -ESTALE;
}
