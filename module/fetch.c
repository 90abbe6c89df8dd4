// SPDX-License-Identifier: GPL-2.0-only
// Copyright (C) 2026 the abuse authors
/*
 * Servers fetch requests: exchange.c enters to fetch the oldest requests, or to wait for
 * one. The descriptor holds a request that was fetched; complete.c processes the reply. This
 * file ends no request and touches no user memory.
 */
#include <linux/hrtimer.h>
#include <linux/sched/clock.h>
#include <linux/sched/signal.h>
#include <linux/sched/stat.h>
#include <linux/timekeeping.h>

#include "abuse.h"
#include "trace.h"

/* One fetch in this many begins at another queue than that of the server's processor. */
#define ABUSE_TURNS_AT_HOME	8

/* One turn of a busy-poll in this many checks other queues than that of the server's processor. */
#define ABUSE_SPIN_ELSEWHERE	64

static u16 abuse_request_flags(const struct request *rq)
{
	u16 flags = 0;

	flags |= rq->cmd_flags & REQ_FUA ? ABUSE_REQ_FUA : 0;
	flags |= rq->cmd_flags & REQ_META ? ABUSE_REQ_META : 0;
	flags |= rq->cmd_flags & REQ_RAHEAD ? ABUSE_REQ_RAHEAD : 0;
	flags |= rq->cmd_flags & REQ_SYNC ? ABUSE_REQ_SYNC : 0;
	flags |= rq->cmd_flags & REQ_BACKGROUND ? ABUSE_REQ_BACKGROUND : 0;
	flags |= rq->cmd_flags & REQ_ATOMIC ? ABUSE_REQ_ATOMIC : 0;
	if (req_op(rq) == REQ_OP_WRITE_ZEROES &&
	    (rq->cmd_flags & REQ_NOUNMAP))
		flags |= ABUSE_REQ_NOUNMAP;
	return flags;
}

static void abuse_describe_request(const struct abuse_device *dev,
		     const struct abuse_slot *slot, struct abuse_dispatch *out)
{
	struct request *rq = slot->rq;

	out->id = abuse_slot_id(dev, slot);
	out->op = abuse_rq_op(rq);
	out->flags = abuse_request_flags(rq);
	out->sector = out->op == ABUSE_OP_FLUSH ? 0 : blk_rq_pos(rq);
	out->length = blk_rq_bytes(rq);
	out->offset = 0;
	out->ioprio = req_get_ioprio(rq);
	out->write_hint = abuse_rq_write_hint(rq);
}

/*
 * A server that slept through RESET and the next set-up has the data of another disk. So a
 * descriptor serves only the set-up that it made or first fetched from. The caller has the
 * lock of a queue: the requests in it belong to the set-up that is checked here.
 */
static int abuse_check_server(struct abuse_server *srv, const struct abuse_queue *queue)
{
	struct abuse_device *dev = srv->dev;
	/* Read the state first: a reader that sees a set-up also sees its seal. */
	u32 state = smp_load_acquire(&dev->state);
	int err = abuse_server_check(srv);
	s64 epoch;

	lockdep_assert_held(&queue->lock);
	if (err)
		return err;
	if (state != ABUSE_S_UP)
		return -ENXIO;
	epoch = atomic64_read(&dev->epoch);
	if (atomic64_read(&srv->epoch) != epoch &&
	    atomic64_cmpxchg(&srv->epoch, 0, epoch) != 0)
		return -ENXIO;
	return 0;
}

/* Would abuse_fetch() return something? Hints, read without a lock. */
static __always_inline bool abuse_has_news_at_home(const struct abuse_server *srv,
					     const struct abuse_queue *home)
{
	const struct abuse_device *dev = srv->dev;

	return !list_empty(&home->pending) ||
	       READ_ONCE(dev->state) != ABUSE_S_UP ||
	       READ_ONCE(dev->patience) == ABUSE_REVIVES ||
	       atomic64_read(&dev->epoch) != atomic64_read(&srv->epoch);
}

static __always_inline bool abuse_has_news_elsewhere(const struct abuse_device *dev)
{
	return dev->hw_queues > 1 && abuse_any_pending(dev);
}

static __always_inline bool abuse_has_news(const struct abuse_server *srv,
				     const struct abuse_queue *home)
{
	return abuse_has_news_at_home(srv, home) || abuse_has_news_elsewhere(srv->dev);
}

/* Assigns a WRITE its part of the buffer; false: there is no room. */
static bool abuse_place_payload(struct abuse_wish *wish, struct abuse_dispatch *out)
{
	u64 after;

	if (out->op != ABUSE_OP_WRITE || !wish->buffer_size)
		return true;
	after = wish->used + ALIGN(out->length, ABUSE_PAYLOAD_ALIGN);
	if (after > wish->buffer_size)
		return false;
	out->offset = wish->used;
	wish->used = after;
	return true;
}

/* The oldest request of a queue becomes held; returns the next list entry. */
static struct list_head *abuse_hold_request(struct abuse_server *srv,
			      struct abuse_queue *queue,
			      struct abuse_wish *wish,
			      struct abuse_dispatch *requests, unsigned int max)
{
	struct abuse_dispatch *out = requests;
	struct abuse_slot *slot;

	lockdep_assert_held(&queue->lock);
	list_for_each_entry(slot, &queue->pending, node) {
		if (out == requests + max)
			break;
		abuse_describe_request(srv->dev, slot, out);
		if (!abuse_place_payload(wish, out))
			break;
		WRITE_ONCE(slot->holder, srv);
		abuse_slot_step(slot, ABUSE_PENDING, ABUSE_HELD);
		trace_abuse_handed_out(srv->dev, slot);
		out++;
	}
	wish->left -= out - requests;
	return &slot->node;
}

/* Fetches from one queue as many requests as fit. */
static int abuse_fetch_from_queue(struct abuse_server *srv, struct abuse_queue *queue,
		      struct abuse_wish *wish, struct abuse_dispatch *requests,
		      unsigned int max)
{
	unsigned int wanted = wish->left, n;
	struct list_head *rest;
	LIST_HEAD(taken);
	bool more;
	int err;

	spin_lock(&queue->lock);
	err = abuse_check_server(srv, queue);
	if (err) {
		spin_unlock(&queue->lock);
		return err;
	}
	rest = abuse_hold_request(srv, queue, wish, requests, min(max, wanted));
	list_cut_before(&taken, &queue->pending, rest);
	more = !list_empty(&queue->pending);
	spin_unlock(&queue->lock);

	n = wanted - wish->left;
	if (n < max)
		wish->left = 0;
	return n || !more ? n : -EINVAL;
}

/*
 * Does this fetch begin at another queue? Without such fetches, a queue on whose processor no
 * server runs would starve while servers are busy with their own queues.
 */
static bool abuse_fetch_is_away(const struct abuse_device *dev,
				struct abuse_queue *home)
{
	unsigned int turn = READ_ONCE(home->turns) + 1;

	if (dev->hw_queues == 1)
		return false;
	WRITE_ONCE(home->turns, turn);
	return !(turn % ABUSE_TURNS_AT_HOME);
}

/* Round robin over the queues other than home. */
static struct abuse_queue *abuse_fetch_next(const struct abuse_device *dev,
					    struct abuse_queue *home)
{
	u32 at = READ_ONCE(home->next);

	if (&dev->queues[at] == home)
		at++;
	if (at >= dev->hw_queues)
		at = home == dev->queues;
	WRITE_ONCE(home->next, at + 1 < dev->hw_queues ? at + 1 : 0);
	return &dev->queues[at];
}

/*
 * Fetches from another queue than home. Each search begins after the queue where the last
 * one succeeded, so each queue with requests is served once in a round.
 */
static int abuse_fetch_elsewhere(struct abuse_server *srv, struct abuse_queue *home,
				 struct abuse_wish *wish,
				 struct abuse_dispatch *requests, unsigned int max)
{
	struct abuse_device *dev = srv->dev;
	unsigned int wanted = wish->left;
	struct abuse_queue *queue;
	int n = 0;
	u32 i;

	for (i = 1; !n && i < dev->hw_queues; i++) {
		queue = abuse_fetch_next(dev, home);
		if (list_empty(&queue->pending))
			continue;
		wish->left = wanted;
		n = abuse_fetch_from_queue(srv, queue, wish, requests, max);
		wish->queue = queue;
	}
	return n;
}

static int abuse_fetch_home(struct abuse_server *srv, struct abuse_queue *home,
			    struct abuse_wish *wish,
			    struct abuse_dispatch *requests, unsigned int max)
{
	wish->queue = home;
	return abuse_fetch_from_queue(srv, home, wish, requests, max);
}

/* Fetches from the first queue that has requests. */
static int abuse_fetch_first(struct abuse_server *srv, struct abuse_wish *wish,
		       struct abuse_dispatch *requests, unsigned int max)
{
	struct abuse_queue *home = abuse_queue_at_home(srv->dev);
	bool away = abuse_fetch_is_away(srv->dev, home);
	unsigned int wanted = wish->left;
	int n = 0;

	if (!away)
		n = abuse_fetch_home(srv, home, wish, requests, max);
	if (!n) {
		wish->left = wanted;
		n = abuse_fetch_elsewhere(srv, home, wish, requests, max);
	}
	if (!n && away) {
		wish->left = wanted;
		n = abuse_fetch_home(srv, home, wish, requests, max);
	}
	if (n <= 0)
		wish->left = 0;
	return n;
}

static int abuse_fetch_some(struct abuse_server *srv, struct abuse_wish *wish,
			    struct abuse_dispatch *requests, unsigned int max)
{
	/* In most calls there is nothing more: find out without a lock. */
	if (!abuse_has_news(srv, abuse_queue_at_home(srv->dev))) {
		wish->left = 0;
		return 0;
	}
	if (wish->queue)
		return abuse_fetch_from_queue(srv, wish->queue, wish, requests, max);
	return abuse_fetch_first(srv, wish, requests, max);
}

/*
 * Moves up to max requests, but no more than the wish has left, from pending to held by
 * this descriptor, describes them, and assigns each WRITE its part of the buffer. All
 * requests of one wish come from one queue, oldest first, up to the first that does not
 * fit. Returns their number, or -ENODEV, -ENXIO, -EPERM, or -EINVAL if the first does not
 * fit (the device was configured again meanwhile).
 */
int abuse_fetch(struct abuse_server *srv, struct abuse_wish *wish,
		struct abuse_dispatch *requests, unsigned int max)
{
	int n = abuse_fetch_some(srv, wish, requests, max);

	/* This server was woken and leaves: the wake-up passes on to the next one. */
	if (wish->woken && (n < 0 || !wish->left))
		abuse_wake_next(srv->dev);
	return n;
}

/* Another task wants the processor, or the server has a signal. */
static bool abuse_is_spin_unwanted(void)
{
	return need_resched() || !single_task_running() ||
	       signal_pending(current);
}

static bool abuse_spin_finds(const struct abuse_server *srv,
			     const struct abuse_queue *home, unsigned int turn)
{
	return abuse_has_news_at_home(srv, home) ||
	       (!(turn % ABUSE_SPIN_ELSEWHERE) && abuse_has_news_elsewhere(srv->dev));
}

/*
 * Busy-polls, because a short poll costs less than a sleep and a wake-up while no other task
 * wants the processor. Preemption is off, because a request would wait for a preempted
 * server. One server per queue polls at a time: a second one would find nothing more.
 * Submitters wake nobody while spinning is set, so the server must check once more after
 * it was cleared: the caller does, or prepare_to_wait_exclusive().
 */
static bool abuse_spin_for_requests(const struct abuse_server *srv,
				    struct abuse_queue *home, u64 *spin_ns)
{
	unsigned int turn = 0;
	u64 begin, spun;
	bool found;

	preempt_disable();
	begin = local_clock();
	if (READ_ONCE(home->spinning) || cmpxchg(&home->spinning, 0, 1)) {
		preempt_enable();
		return false;
	}
	while (!(found = abuse_spin_finds(srv, home, ++turn)) &&
	       local_clock() - begin < *spin_ns && !abuse_is_spin_unwanted())
		cpu_relax();
	smp_store_mb(home->spinning, 0);
	spun = local_clock() - begin;
	preempt_enable();
	*spin_ns -= min(spun, *spin_ns);
	return found;
}

/*
 * Waits until there may be something to fetch. It busy-polls first, for at most *spin_ns, and
 * takes that time off it; after a sleep none is left. 0: the caller counts as woken, and owes
 * the wake-up to the next server (abuse_wake_next()). -ETIME: the absolute monotonic deadline
 * has passed (NULL = none). -EINTR: a signal.
 */
int abuse_fetch_wait(struct abuse_server *srv, ktime_t *deadline, u64 *spin_ns)
{
	struct abuse_queue *home = abuse_queue_at_home(srv->dev);
	DEFINE_WAIT(wait);
	int err = 0;

	if (*spin_ns && abuse_spin_for_requests(srv, home, spin_ns))
		return 0;
	*spin_ns = 0;
	for (;;) {
		prepare_to_wait_exclusive(&home->fetch_wait, &wait,
					  TASK_INTERRUPTIBLE);
		if (abuse_has_news(srv, home)) {
			err = 0;
			break;
		}
		if (err)
			break;
		if (signal_pending(current)) {
			err = -EINTR;
			break;
		}
		if (!schedule_hrtimeout_range(deadline, current->timer_slack_ns,
					      HRTIMER_MODE_ABS))
			err = -ETIME;
	}
	finish_wait(&home->fetch_wait, &wait);
	/* A wake-up may have come together with the error: pass it on. */
	if (err)
		abuse_wake_next(srv->dev);
	return err;
}
