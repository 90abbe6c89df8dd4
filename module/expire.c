// SPDX-License-Identifier: GPL-2.0-only
/*
 * Requests that waited too long end with EIO. Entered by the work that submit.c
 * arms; recover.c ends the requests.
 */
#include "abuse.h"

/*
 * Since when the oldest request waits for a server; now, if there is none. A hint.
 * What a file has no time-out ends.
 */
static u64 oldest(const struct abuse_device *dev, u64 now, bool *any)
{
	u64 since = now;
	u32 i;

	*any = false;
	for (i = 0; i < dev->nr_slots; i++) {
		switch (abuse_word_state(abuse_slot_word(&dev->slots[i]))) {
		case ABUSE_FREE:
		case ABUSE_REDIRECTED:
			continue;
		default:
			*any = true;
			since = min(since, abuse_queued_ns(&dev->slots[i]));
		}
	}
	return since;
}

/*
 * A user's device that no server looked after for so long fails as a whole, and at
 * once, until one does: else each round of a sync would wait anew.
 */
static bool has_lapsed(const struct abuse_device *dev, u64 before_ns)
{
	bool any;

	return abuse_device_is_users(dev) &&
	       READ_ONCE(dev->seen_ns) <= before_ns &&
	       oldest(dev, U64_MAX, &any) <= before_ns;
}

/* False: a server looked just now. */
static bool give_up(struct abuse_device *dev, u64 before_ns)
{
	WRITE_ONCE(dev->lapsed, true);
	smp_mb();
	if (READ_ONCE(dev->seen_ns) > before_ns) {
		WRITE_ONCE(dev->lapsed, false);
		return false;
	}
	abuse_queues_settle(dev);
	return true;
}

/* Ends what waited longer than the time-out, and comes back for the next. */
void abuse_expire(struct work_struct *work)
{
	struct abuse_device *dev = container_of(to_delayed_work(work),
						struct abuse_device,
						expire_work);
	u64 now = abuse_tick_ns(), timeout = READ_ONCE(dev->timeout_ns);
	u64 since, before_ns;
	bool any;

	if (!timeout)
		return;
	/* What arrived late in a tick is younger than it says. */
	if (now > timeout + TICK_NSEC) {
		before_ns = now - timeout - TICK_NSEC;
		if (has_lapsed(dev, before_ns) && give_up(dev, before_ns))
			abuse_fail_all(dev);
		else
			abuse_fail_older(dev, before_ns);
	}
	since = oldest(dev, now, &any);
	if (any && READ_ONCE(dev->timeout_ns))
		queue_delayed_work(abuse_wq, &dev->expire_work,
				   nsecs_to_jiffies(max(since + timeout, now) -
						    now) + 1);
}
