// SPDX-License-Identifier: GPL-2.0-only
// Copyright (C) 2026 the abuse authors
/*
 * The driver stops waiting for servers. submit.c enters when a request arrives,
 * serving.c when a server asks for requests, disk.c when somebody claims the disk;
 * the rest is done by a work that runs while requests are unanswered. recover.c
 * ends the requests.
 *
 *	patience  requests	leaves by
 *	waits	  wait		the first request of a user's device that is older than
 *				the time-out -> fails
 *				a user's device was busy all through one user_timeout, and
 *				completed less than the floor -> fails
 *				nobody served and nobody claimed the disk for
 *				unserved_timeout -> fails (is_unserved)
 *	fails	  end with EIO	all have ended and, unless is_unserved, one
 *				user_timeout has passed -> revives
 *				is_unserved, and an exclusive open -> waits
 *	revives	  end with EIO	a server asks for requests -> waits
 *				is_unserved, and an exclusive open -> waits
 *
 * A set-up begins with waits. A timeout that is given for a device of root or the group
 * fails single requests, and does not change this state. timeout = -1 disables all of this.
 * Redirected requests have no time-out.
 *
 * Times are counted in ticks. The work runs ABUSE_LOOKS times in one time-out. So the end of
 * a claim, the end of a process that serves by GET_BIO, and the begin of a floor period may
 * be noticed late, by 1/ABUSE_LOOKS of the time-out at most.
 */
#include <linux/math64.h>
#include <linux/sched/mm.h>

#include "abuse.h"

#define ABUSE_LOOKS	8

/* Parts of user_timeout: an answer that took one was slow; and a gap after it that is shorter. */
#define ABUSE_SLOW	16
#define ABUSE_GAP	64

/*
 * How long a user's device that failed goes on failing, and is watched for its floor: the
 * administrator's time, whatever time-out the user gave it. 0 = its floor is not watched.
 */
static u64 abuse_user_timeout_ns(void)
{
	return (u64)READ_ONCE(abuse_user_timeout) * NSEC_PER_SEC;
}

/* Time-out of one request; 0 = none. */
static u64 abuse_timeout_ns(const struct abuse_device *dev)
{
	s64 timeout = READ_ONCE(dev->timeout);

	if (timeout)
		return timeout < 0 ? 0 : timeout;
	return abuse_device_is_users(dev) ? abuse_user_timeout_ns() : 0;
}

/* Time-out of a disk that has neither a server nor a claim; 0 = none. */
static u64 abuse_unserved_ns(const struct abuse_device *dev)
{
	if (READ_ONCE(dev->timeout) < 0)
		return 0;
	return (u64)READ_ONCE(abuse_unserved_timeout) * NSEC_PER_SEC;
}

/* Period of the work while requests are not completed; 0 = it need not run. */
static u64 abuse_look_period(const struct abuse_device *dev)
{
	u64 period = abuse_timeout_ns(dev);
	u64 unserved = abuse_unserved_ns(dev) / ABUSE_LOOKS;

	if (abuse_device_is_users(dev))
		period /= ABUSE_LOOKS;
	if (unserved && (!period || unserved < period))
		period = unserved;
	return period;
}

static void abuse_look_in(struct abuse_device *dev, u64 ns)
{
	mod_delayed_work(abuse_wq, &dev->expire_work, nsecs_to_jiffies(ns) + 1);
}

/*
 * A request was queued and the work is not scheduled. Race with abuse_expire(), which stops
 * the work: it clears is_watched and then looks for requests, so either it sees this request
 * or its submitter sees is_watched cleared. Race with a change of the time-outs: they change
 * before abuse_expire_anew().
 */
void abuse_watch_begin(struct abuse_device *dev)
{
	u64 period;

	smp_store_mb(dev->is_watched, true);
	period = abuse_look_period(dev);
	if (period)
		queue_delayed_work(abuse_wq, &dev->expire_work,
				   nsecs_to_jiffies(period) + 1);
}

/* Time-outs changed, or a set-up begins. */
void abuse_expire_anew(struct abuse_device *dev)
{
	spin_lock(&dev->lock);
	/* RESET and REMOVE leave this state first, and cancel the work then. */
	if (dev->state == ABUSE_S_UP)
		mod_delayed_work(abuse_wq, &dev->expire_work, 0);
	spin_unlock(&dev->lock);
}

/* abuse_device_come_up() calls this. */
void abuse_expire_set_up(struct abuse_device *dev)
{
	lockdep_assert_held(&dev->lock);
	WRITE_ONCE(dev->patience, ABUSE_WAITS);
	WRITE_ONCE(dev->unserved_ns, abuse_tick_ns());
	WRITE_ONCE(dev->claimed_ns, 0);
	dev->window.since_ns = 0;
}

/* ---- requests that wait --------------------------------------------------------- */

static bool abuse_slot_waits(const struct abuse_slot *slot)
{
	enum abuse_slot_state state = abuse_word_state(abuse_slot_word(slot));

	return state != ABUSE_FREE && state != ABUSE_REDIRECTED;
}

/* Arrival of the oldest request that waits for a server; U64_MAX: none waits. A hint. */
static u64 abuse_oldest_ns(const struct abuse_device *dev)
{
	u64 oldest = U64_MAX;
	u32 i;

	for (i = 0; i < dev->nr_slots; i++)
		if (abuse_slot_waits(&dev->slots[i]))
			oldest = min(oldest, abuse_queued_ns(&dev->slots[i]));
	return oldest;
}

/*
 * A server answers a request of a user's device. Submitters may have to wait for its tag: a
 * device that takes long for each is not idle while the next one comes.
 */
void abuse_note_answer(struct abuse_device *dev, const struct abuse_slot *slot)
{
	u64 tick = get_jiffies_64();

	if (tick - READ_ONCE(slot->queued) >
	    (u64)READ_ONCE(abuse_user_timeout) * HZ / ABUSE_SLOW)
		WRITE_ONCE(dev->slow_tick, tick);
}

static bool abuse_was_just_slow(const struct abuse_device *dev, u64 tick)
{
	u64 slow = READ_ONCE(dev->slow_tick);

	return slow && tick - slow <=
		(u64)READ_ONCE(abuse_user_timeout) * HZ / ABUSE_GAP;
}

/*
 * Before the first request of a tick is queued on a user's device: if no request of an
 * earlier tick waits, the device was idle until now, unless a slow answer came just before.
 * Requests of this tick do not count: they may have arrived together with this one.
 */
void abuse_note_tick(struct abuse_device *dev)
{
	u64 tick = get_jiffies_64();
	u32 i;

	WRITE_ONCE(dev->arrival_tick, tick);
	if (abuse_was_just_slow(dev, tick))
		return;
	for (i = 0; i < dev->nr_slots; i++)
		if (abuse_slot_waits(&dev->slots[i]) &&
		    READ_ONCE(dev->slots[i].queued) < tick)
			return;
	WRITE_ONCE(dev->busy_since, tick);
}

/* ---- when to give up: absolute times, U64_MAX = not ------------------------------- */

/* Round up by one tick: a request may be up to a tick younger than its timestamp. */
static u64 abuse_late_at(u64 oldest, u64 timeout)
{
	return timeout ? oldest + timeout + TICK_NSEC : U64_MAX;
}

static u64 abuse_unserved_at(struct abuse_device *dev, u64 oldest, u64 now)
{
	u64 unserved = abuse_unserved_ns(dev);

	if (!unserved || abuse_is_served(dev))
		return U64_MAX;
	if (abuse_disk_has_holder(dev->disk)) {
		WRITE_ONCE(dev->claimed_ns, now);
		return U64_MAX;
	}
	return max3(oldest, READ_ONCE(dev->unserved_ns),
		    READ_ONCE(dev->claimed_ns)) + unserved + TICK_NSEC;
}

static bool abuse_floor_is_missed(const struct abuse_window *was,
				  const struct abuse_window *is)
{
	return is->requests - was->requests <
			READ_ONCE(abuse_user_floor_requests) &&
	       is->bytes - was->bytes < READ_ONCE(abuse_user_floor);
}

/*
 * A user's device that completes each request just in time could delay sync(2) as long as
 * there are dirty pages. So a device that was busy during a whole user_timeout must have
 * completed a minimum in it: the floor.
 */
static u64 abuse_floor_at(struct abuse_device *dev, u64 timeout, u64 now)
{
	struct abuse_stats done = abuse_stats_since_set_up(dev);
	struct abuse_window *window = &dev->window, is = {
		.since_ns = now,
		.requests = done.served + done.refused,
		.bytes = done.bytes,
	};

	if (window->since_ns &&
	    jiffies64_to_nsecs(READ_ONCE(dev->busy_since)) <= window->since_ns) {
		if (now <= window->since_ns + timeout)
			return window->since_ns + timeout + TICK_NSEC;
		if (abuse_floor_is_missed(window, &is))
			return now;
	}
	*window = is;
	return now + timeout + TICK_NSEC;
}

/* ---- patience -------------------------------------------------------------------- */

static void abuse_say_failing(const struct abuse_device *dev, bool unserved)
{
	if (unserved)
		pr_warn_ratelimited("abuse%u: has neither a server nor a claim: I/O fails until it has one\n",
				    dev->number);
	else
		pr_warn_ratelimited("abuse%u: requests were not answered in time: I/O fails for %llu ms, and then until a server asks for requests\n",
				    dev->number,
				    div_u64(abuse_user_timeout_ns(), NSEC_PER_MSEC));
}

/* False: a server asked for requests, or a claim began, after the caller's check. */
static bool abuse_give_up(struct abuse_device *dev, bool unserved, u64 looked)
{
	spin_lock(&dev->lock);
	if (unserved && (!list_empty(&dev->servers) ||
			 dev->claimed_ns >= looked)) {
		spin_unlock(&dev->lock);
		return false;
	}
	WRITE_ONCE(dev->is_unserved, unserved);
	/* Probes failed: the next server sends "ready" again, and udev repeats them. */
	if (unserved)
		WRITE_ONCE(dev->ready, false);
	dev->failed_ns = abuse_tick_ns();
	WRITE_ONCE(dev->patience, ABUSE_FAILS);
	spin_unlock(&dev->lock);
	abuse_say_failing(dev, unserved);
	abuse_queues_settle(dev);
	abuse_fail_all(dev);
	return true;
}

/* Time of the next run; 0 = none is necessary. */
static u64 abuse_finish_failing(struct abuse_device *dev)
{
	u64 now = abuse_tick_ns(), end = dev->failed_ns;

	dev->window.since_ns = 0;
	if (!dev->is_unserved)
		end += abuse_user_timeout_ns() + TICK_NSEC;
	/* A claimer still copies; it ends its request itself. */
	if (abuse_oldest_ns(dev) != U64_MAX)
		return now + 1;
	if (now < end)
		return end;
	spin_lock(&dev->lock);
	if (dev->patience == ABUSE_FAILS)
		WRITE_ONCE(dev->patience, ABUSE_REVIVES);
	spin_unlock(&dev->lock);
	/* Sleeping servers now ask for requests; poll reports readiness. */
	abuse_wake_all(dev);
	return 0;
}

/* A server asks for requests. */
void abuse_revive(struct abuse_device *dev)
{
	spin_lock(&dev->lock);
	if (dev->patience == ABUSE_REVIVES)
		WRITE_ONCE(dev->patience, ABUSE_WAITS);
	spin_unlock(&dev->lock);
}

/* An exclusive open: from now on requests wait for a server. */
void abuse_claim_begins(struct abuse_device *dev)
{
	bool failing;

	spin_lock(&dev->lock);
	WRITE_ONCE(dev->claimed_ns, abuse_tick_ns());
	failing = dev->patience != ABUSE_WAITS && dev->is_unserved;
	spin_unlock(&dev->lock);
	if (!failing)
		return;
	/* The work may be failing requests: let it finish before the opener submits. */
	flush_delayed_work(&dev->expire_work);
	spin_lock(&dev->lock);
	if (dev->is_unserved)
		WRITE_ONCE(dev->patience, ABUSE_WAITS);
	spin_unlock(&dev->lock);
}

/* ---- the work ---------------------------------------------------------------------- */

/* Time of the next run; 0 = when a request arrives, U64_MAX = when a time-out changes. */
static u64 abuse_look(struct abuse_device *dev)
{
	u64 now = abuse_tick_ns(), timeout = abuse_timeout_ns(dev);
	u64 period = abuse_look_period(dev);
	u64 oldest, late, unserved;

	if (READ_ONCE(dev->patience) == ABUSE_FAILS)
		return abuse_finish_failing(dev);
	if (!period)
		return U64_MAX;
	oldest = abuse_oldest_ns(dev);
	if (oldest == U64_MAX) {
		if (!abuse_was_just_slow(dev, get_jiffies_64()))
			dev->window.since_ns = 0;
		return 0;
	}

	late = abuse_late_at(oldest, timeout);
	if (late <= now && !abuse_device_is_users(dev)) {
		abuse_fail_older(dev, now - timeout - TICK_NSEC);
		return now + 1;
	}
	if (timeout && abuse_device_is_users(dev) && abuse_user_timeout_ns())
		late = min(late, abuse_floor_at(dev, abuse_user_timeout_ns(), now));
	unserved = abuse_unserved_at(dev, oldest, now);
	if (late <= now || unserved <= now) {
		if (abuse_give_up(dev, late > now, now))
			return abuse_finish_failing(dev);
		return now + 1;
	}
	return min3(late, unserved, now + period);
}

void abuse_expire(struct work_struct *work)
{
	struct abuse_device *dev = container_of(to_delayed_work(work),
						struct abuse_device,
						expire_work);
	unsigned int noio = memalloc_noio_save();
	u64 next, now;

	smp_store_mb(dev->is_watched, false);
	next = abuse_look(dev);
	now = abuse_tick_ns();
	if (next)
		WRITE_ONCE(dev->is_watched, true);
	if (next && next != U64_MAX)
		abuse_look_in(dev, next > now ? next - now : 0);
	memalloc_noio_restore(noio);
}
