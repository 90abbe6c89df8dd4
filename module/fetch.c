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

/* One fetch in so many begins at another queue than the server's own. */
#define ABUSE_TURNS_AT_HOME	16

/* After so many spins in vain on a queue only every so manieth wait spins. */
#define ABUSE_VAIN_SPINS	4
#define ABUSE_SPIN_AGAIN	16

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
 * a descriptor serves the set-up that it made or first fetched from. Under the
 * lock of a queue, so that what is in it is of the set-up that is found here.
 */
static int check(struct abuse_server *srv, const struct abuse_queue *queue)
{
	struct abuse_device *dev = srv->dev;
	int err = abuse_server_check(srv);
	u64 epoch;

	lockdep_assert_held(&queue->lock);
	if (err)
		return err;
	if (smp_load_acquire(&dev->state) != ABUSE_S_UP)
		return -ENXIO;
	epoch = READ_ONCE(dev->epoch);
	if (READ_ONCE(srv->epoch) != epoch &&
	    cmpxchg64(&srv->epoch, 0, epoch) != 0)
		return -ENXIO;
	abuse_device_is_seen(dev);
	return 0;
}

/* What a call has been given so far. */
struct given {
	struct abuse_request *requests;
	unsigned int max;
	u64 buffer_size;	/* 0 = payloads are not wanted */
	u64 used;		/* of it */
};

/* Gives a WRITE its place in the buffer; false: it has none. */
static bool place_payload(struct given *given, struct abuse_request *out)
{
	u64 after;

	if (out->op != ABUSE_OP_WRITE || !given->buffer_size)
		return true;
	after = given->used + ALIGN(out->length, ABUSE_PAYLOAD_ALIGN);
	if (after > given->buffer_size)
		return false;
	out->offset = given->used;
	given->used = after;
	return true;
}

/* From one queue, as much as fits. */
static int fetch_from(struct abuse_server *srv, struct abuse_queue *queue,
		      struct given *given)
{
	struct abuse_device *dev = srv->dev;
	struct abuse_slot *slot, *next;
	unsigned int n = 0;
	bool more;
	int err;

	spin_lock(&queue->lock);
	err = check(srv, queue);
	if (err) {
		spin_unlock(&queue->lock);
		return err;
	}
	list_for_each_entry_safe(slot, next, &queue->pending, node) {
		if (n == given->max)
			break;
		describe(dev, slot, &given->requests[n]);
		if (!place_payload(given, &given->requests[n]))
			break;
		list_del_init(&slot->node);
		slot->holder = srv;
		abuse_slot_move_sure(slot, ABUSE_HELD);
		trace_abuse_handed_out(dev, slot);
		n++;
	}
	more = !list_empty(&queue->pending);
	spin_unlock(&queue->lock);

	/* Whatever woke us, what is left is for the next. */
	if (more)
		abuse_wake_one(dev, queue);
	return n || !more ? n : -EINVAL;
}

/*
 * Where to look first: at home, but not always, or what has nobody at home would
 * wait for ever while servers are busy elsewhere.
 */
static u32 first_queue(const struct abuse_device *dev)
{
	struct abuse_queue *home = abuse_queue_at_home(dev);
	unsigned int turn = READ_ONCE(home->turns) + 1;

	WRITE_ONCE(home->turns, turn);
	if (turn % ABUSE_TURNS_AT_HOME)
		return home - dev->queues;
	return turn / ABUSE_TURNS_AT_HOME % dev->hw_queues;
}

/*
 * Moves up to max requests of one queue, oldest first, from pending to held by
 * this descriptor and describes them, giving each WRITE its place in a buffer of
 * buffer_size bytes (0 = payloads are not wanted). Stops at the first
 * that does not fit. Returns how many, or -ENODEV, -ENXIO, -EPERM, or -EINVAL
 * if not even the first fits (the device was set up anew meanwhile).
 */
int abuse_fetch(struct abuse_server *srv, struct abuse_request *requests,
		unsigned int max, u64 buffer_size)
{
	struct given given = {
		.requests = requests, .max = max, .buffer_size = buffer_size,
	};
	struct abuse_device *dev = srv->dev;
	u32 i, at = dev->hw_queues > 1 ? first_queue(dev) : 0;
	int n;

	n = fetch_from(srv, &dev->queues[at], &given);
	for (i = 1; !n && i < dev->hw_queues; i++) {
		if (++at == dev->hw_queues)
			at = 0;
		if (!list_empty(&dev->queues[at].pending))
			n = fetch_from(srv, &dev->queues[at], &given);
	}
	return n;
}

/* Is there something for abuse_fetch() to return? A hint, without a lock. */
static bool has_news(const struct abuse_server *srv)
{
	const struct abuse_device *dev = srv->dev;

	return abuse_any_pending(dev) ||
	       READ_ONCE(dev->state) != ABUSE_S_UP ||
	       READ_ONCE(dev->epoch) != READ_ONCE(srv->epoch);
}

/* Not for a device that is idle: after some spins in vain, one in many. */
static bool spin_is_worth_it(const struct abuse_queue *home)
{
	unsigned int vain = READ_ONCE(home->vain_spins);

	return vain < ABUSE_VAIN_SPINS || !(vain % ABUSE_SPIN_AGAIN);
}

/*
 * Sleeping and being woken costs more than a short look, as long as nobody else
 * wants the processor. Submitters rely on a last look after nr_spinning is down
 * again: the caller's, or that of prepare_to_wait_exclusive().
 */
static bool spin_for_news(const struct abuse_server *srv,
			  struct abuse_queue *home, u64 spin_ns)
{
	u64 end = local_clock() + spin_ns;
	bool found = false;

	atomic_inc(&home->nr_spinning);
	while (!(found = has_news(srv)) && local_clock() < end) {
		if (need_resched() || signal_pending(current))
			break;
		cpu_relax();
	}
	atomic_dec(&home->nr_spinning);
	smp_mb__after_atomic();
	return found;
}

static bool spin(const struct abuse_server *srv, struct abuse_queue *home,
		 u64 spin_ns)
{
	bool found = spin_is_worth_it(home) &&
		     spin_for_news(srv, home, spin_ns);

	WRITE_ONCE(home->vain_spins, found ? 0 : home->vain_spins + 1);
	return found;
}

/*
 * Waits until there may be something to fetch: 0. -ETIME: the absolute
 * monotonic deadline has passed (NULL = never). -EINTR: a signal.
 */
int abuse_fetch_wait(struct abuse_server *srv, ktime_t *deadline, u64 spin_ns)
{
	struct abuse_queue *home = abuse_queue_at_home(srv->dev);
	DEFINE_WAIT(wait);
	int err = 0;

	if (spin_ns && spin(srv, home, spin_ns))
		return 0;
	for (;;) {
		prepare_to_wait_exclusive(&home->fetch_wait, &wait,
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
	finish_wait(&home->fetch_wait, &wait);
	/* A wake-up that came as we gave up belongs to the next. */
	if (err && has_news(srv))
		abuse_wake_one(srv->dev, home);
	return err;
}
