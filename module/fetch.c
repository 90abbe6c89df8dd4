// SPDX-License-Identifier: GPL-2.0-only
/*
 * Requests are handed out: exchange.c enters to take the oldest requests or to
 * wait for one. What is handed out here is held by the descriptor; complete.c
 * takes the answer. Ends no request, touches no user memory.
 */
#include <linux/hrtimer.h>
#include <linux/sched/clock.h>
#include <linux/sched/signal.h>
#include <linux/timekeeping.h>

#include "abuse.h"
#include "trace.h"

static void describe(const struct abuse_device *dev,
		     const struct abuse_slot *slot, struct abuse_request *out)
{
	const struct request *rq = slot->rq;

	out->id = abuse_slot_id(dev, slot);
	out->op = abuse_rq_op(rq);
	out->flags = abuse_rq_flags(rq);
	out->sector = out->op == ABUSE_OP_FLUSH ? 0 : blk_rq_pos(rq);
	out->length = blk_rq_bytes(rq);
	out->offset = 0;
}

/*
 * A server that slept through RESET and the next set-up has another disk's bytes:
 * a descriptor serves the set-up that it made or first fetched from.
 */
static int check(struct abuse_server *srv)
{
	struct abuse_device *dev = srv->dev;
	int err = abuse_server_check(srv);

	lockdep_assert_held(&dev->lock);
	if (err)
		return err;
	if (dev->state != ABUSE_S_UP ||
	    (srv->epoch && srv->epoch != dev->epoch))
		return -ENXIO;
	srv->epoch = dev->epoch;
	if (dev->timeout_ns) {
		dev->seen_ns = ktime_get_ns();
		dev->lapsed = false;
	}
	return 0;
}

/*
 * Moves up to max requests, oldest first, from pending to held by this
 * descriptor and describes them, giving each WRITE its place in a buffer of
 * buffer_size bytes (0 = payloads are not wanted). Stops at the first
 * that does not fit. Returns how many, or -ENODEV, -ENXIO, -EPERM, or -EINVAL
 * if not even the first fits (the device was set up anew meanwhile).
 */
int abuse_fetch(struct abuse_server *srv, struct abuse_request *requests,
		unsigned int max, u64 buffer_size)
{
	struct abuse_device *dev = srv->dev;
	struct abuse_slot *slot, *next;
	unsigned int n = 0;
	u64 used = 0, after;
	bool more;
	int err;

	spin_lock(&dev->lock);
	err = check(srv);
	if (err)
		max = 0;
	list_for_each_entry_safe(slot, next, &dev->pending, node) {
		struct abuse_request *out = &requests[n];

		if (n == max)
			break;
		describe(dev, slot, out);
		if (out->op == ABUSE_OP_WRITE && buffer_size) {
			after = used + ALIGN(out->length, ABUSE_PAYLOAD_ALIGN);
			if (after > buffer_size)
				break;
			out->offset = used;
			used = after;
		}
		list_del_init(&slot->node);
		slot->holder = srv;
		abuse_slot_move_sure(slot, ABUSE_HELD);
		trace_abuse_handed_out(dev, slot);
		n++;
	}
	more = !list_empty(&dev->pending);
	spin_unlock(&dev->lock);

	/* Whatever woke us, what is left is for the next. */
	if (more)
		abuse_wake_servers(dev);
	if (err)
		return err;
	return n || !more ? n : -EINVAL;
}

/* Is there something for abuse_fetch() to return? A hint, without a lock. */
static bool has_news(const struct abuse_server *srv)
{
	const struct abuse_device *dev = srv->dev;

	return !list_empty(&dev->pending) ||
	       READ_ONCE(dev->state) != ABUSE_S_UP ||
	       READ_ONCE(dev->epoch) != READ_ONCE(srv->epoch);
}

/*
 * Sleeping and being woken costs more than a short look, as long as nobody else
 * wants the processor. Submitters rely on a last look after nr_spinning is down
 * again: the caller's, or that of prepare_to_wait_exclusive().
 */
static bool spin_for_news(const struct abuse_server *srv, u64 spin_ns)
{
	struct abuse_device *dev = srv->dev;
	u64 end = local_clock() + spin_ns;
	bool found = false;

	atomic_inc(&dev->nr_spinning);
	while (!(found = has_news(srv)) && local_clock() < end) {
		if (need_resched() || signal_pending(current))
			break;
		cpu_relax();
	}
	atomic_dec(&dev->nr_spinning);
	smp_mb__after_atomic();
	return found;
}

/*
 * Waits until there may be something to fetch: 0. -ETIME: the absolute
 * monotonic deadline has passed (NULL = never). -EINTR: a signal.
 */
int abuse_fetch_wait(struct abuse_server *srv, ktime_t *deadline, u64 spin_ns)
{
	struct abuse_device *dev = srv->dev;
	DEFINE_WAIT(wait);
	int err = 0;

	if (spin_ns && spin_for_news(srv, spin_ns))
		return 0;
	for (;;) {
		prepare_to_wait_exclusive(&dev->fetch_wait, &wait,
					  TASK_INTERRUPTIBLE);
		if (has_news(srv)) {
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
	finish_wait(&dev->fetch_wait, &wait);
	/* A wake-up that came as we gave up belongs to the next. */
	if (err && has_news(srv))
		abuse_wake_servers(dev);
	return err;
}
