// SPDX-License-Identifier: GPL-2.0-only
// Copyright (C) 2026 the abuse authors
/*
 * A claim: while a call copies the payload of a request, no other actor may end or
 * take the request. The call neither faults nor sleeps meanwhile. To fault pages in, it
 * drops the claim, and claims the request again by its id, if the id is still valid. complete.c and
 * legacy.c enter here.
 */
#include "abuse.h"

static int abuse_claim_held_slot(struct abuse_claim *claim)
{
	claim->slot = abuse_claim_held(claim->srv, claim->id);
	return claim->slot ? 0 : -ESTALE;
}

/* The slot that claim->id names at this moment, or NULL. */
struct abuse_slot *abuse_claim_find(const struct abuse_claim *claim)
{
	u64 word;

	return abuse_slot_find(claim->srv->dev, claim->id, &word);
}

/* Under the lock of its queue: can this pending request be claimed? Errors of abuse_claim(). */
int abuse_check_pending(const struct abuse_claim *claim,
			const struct abuse_slot *slot)
{
	struct abuse_device *dev = claim->srv->dev;
	int err = abuse_server_check(claim->srv);
	u64 word;

	lockdep_assert_held(&abuse_queue_of(dev, slot)->lock);
	if (err)
		return err;
	if (!abuse_slot_find(dev, claim->id, &word))
		return -ENOMSG;
	switch (abuse_word_state(word)) {
	case ABUSE_HELD:
	case ABUSE_CLAIMED_HELD:
		return -EBUSY;
	case ABUSE_PENDING:
		return slot->in_backlog ? -ENOMSG : 0;
	default:
		return -ENOMSG;
	}
}

static int abuse_claim_pending_slot(struct abuse_claim *claim)
{
	struct abuse_slot *slot = abuse_claim_find(claim);
	struct abuse_queue *queue;
	int err;

	if (!slot)
		return abuse_server_check(claim->srv) ?: -ENOMSG;
	queue = abuse_queue_of(claim->srv->dev, slot);
	spin_lock(&queue->lock);
	err = abuse_check_pending(claim, slot);
	if (!err) {
		list_del(&slot->node);
		abuse_slot_step(slot, ABUSE_PENDING, ABUSE_CLAIMED_PENDING);
		claim->slot = slot;
	}
	spin_unlock(&queue->lock);
	return err;
}

/*
 * Claims the request that claim->id names. -ESTALE (of held ones), -ENOMSG (of pending
 * ones): the id is not valid any more, or the caller may not complete the request;
 * -EBUSY: the caller wants a pending request, and a descriptor holds this one.
 */
int abuse_claim(struct abuse_claim *claim)
{
	claim->slot = NULL;
	return claim->held ? abuse_claim_held_slot(claim) : abuse_claim_pending_slot(claim);
}

/* RESET, REMOVE or a time-out doomed this request while it was claimed; its claimer ends it. */
void abuse_end_doomed(struct abuse_device *dev, struct abuse_slot *slot)
{
	struct abuse_tally tally = { .failed = 1, .counted = slot->counted };
	struct request *rq = slot->rq;

	abuse_slot_move_sure(slot, ABUSE_FREE);
	abuse_end(rq, EIO);
	abuse_settle(dev, &tally);
	if (atomic_dec_and_test(&dev->nr_doomed))
		wake_up(&dev->doomed_wait);
}

/* Drops the claim without a result. False: the request was doomed, and is now ended. */
bool abuse_unclaim(struct abuse_claim *claim)
{
	struct abuse_device *dev = claim->srv->dev;
	struct abuse_slot *slot = claim->slot;
	u64 word = abuse_slot_word(slot);
	struct abuse_queue *queue;
	bool back = false;

	claim->slot = NULL;
	switch (abuse_word_state(word)) {
	case ABUSE_CLAIMED_HELD:
		back = abuse_slot_move(slot, word, ABUSE_HELD);
		break;
	case ABUSE_CLAIMED_PENDING:
		queue = abuse_queue_of(dev, slot);
		spin_lock(&queue->lock);
		back = abuse_slot_move(slot, word, ABUSE_PENDING);
		if (back)
			abuse_queue_front(dev, slot);
		spin_unlock(&queue->lock);
		if (back)
			abuse_wake_one(dev, queue);
		break;
	default:
		break;
	}
	if (!back)
		abuse_end_doomed(dev, slot);
	return back;
}

/*
 * Copies the whole payload of a claimed request. 0: done and still claimed.
 * Else the claim is gone: -EFAULT and -EINTR (a fatal signal) leave the request
 * where it was, other errors are those of abuse_claim().
 */
int abuse_claim_copy(struct abuse_claim *claim, struct abuse_copy *copy)
{
	int err;

	while (!abuse_copy_some(copy, claim->slot->rq)) {
		if (!abuse_unclaim(claim))
			return claim->held ? -ESTALE : -ENOMSG;
		if (claim->tally)
			abuse_settle(claim->srv->dev, claim->tally);
		err = abuse_copy_fault_in(copy);
		if (!err)
			err = abuse_claim(claim);
		if (err)
			return err;
	}
	return 0;
}
