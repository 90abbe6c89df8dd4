// SPDX-License-Identifier: GPL-2.0-only
// Copyright (C) 2026 the abuse authors
/*
 * Limits how fast a user without CAP_SYS_ADMIN changes devices. Each set-up, live change,
 * reset, add and remove causes several change events, and udev handles the events of all
 * users in turn. So a user who makes many such calls in a row waits before the next one.
 * Then no event is dropped, and udev keeps up. A user waits because of own calls only.
 */
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "abuse.h"

#define ABUSE_PACE_NS		(NSEC_PER_SEC / 2)	/* one call in so long */
#define ABUSE_PACE_BURST	16			/* and so many at once */

/* A user who made such calls recently. */
struct abuse_pace {
	struct list_head node;
	kuid_t uid;
	u64 due_ns;		/* time at which the calls so far are paid off */
};

static DEFINE_MUTEX(abuse_pace_lock);
static LIST_HEAD(abuse_paces);

/* Finds the user, and frees entries whose time has passed. */
static struct abuse_pace *abuse_pace_find(kuid_t uid, u64 now)
{
	struct abuse_pace *pace, *next, *found = NULL;

	lockdep_assert_held(&abuse_pace_lock);
	list_for_each_entry_safe(pace, next, &abuse_paces, node) {
		if (uid_eq(pace->uid, uid)) {
			found = pace;
		} else if (pace->due_ns <= now) {
			list_del(&pace->node);
			kfree(pace);
		}
	}
	if (found)
		return found;
	found = kzalloc(sizeof(*found), GFP_KERNEL_ACCOUNT);
	if (found) {
		found->uid = uid;
		list_add(&found->node, &abuse_paces);
	}
	return found;
}

/* Counts a call; returns the nanoseconds that it has to wait. */
static u64 abuse_pace_count(kuid_t uid)
{
	u64 now = ktime_get_ns(), ahead = ABUSE_PACE_NS;
	struct abuse_pace *pace;

	mutex_lock(&abuse_pace_lock);
	pace = abuse_pace_find(uid, now);
	if (pace) {
		pace->due_ns = max(pace->due_ns, now) + ABUSE_PACE_NS;
		ahead = pace->due_ns - now;
		ahead -= min_t(u64, ahead, (u64)ABUSE_PACE_BURST * ABUSE_PACE_NS);
	}
	mutex_unlock(&abuse_pace_lock);
	return ahead;
}

/* Before a call that sends events, with no lock held. -EINTR: killed. */
int abuse_pace(void)
{
	u64 wait_ns;

	if (ns_capable_noaudit(&init_user_ns, CAP_SYS_ADMIN))
		return 0;
	wait_ns = abuse_pace_count(current_euid());
	if (wait_ns)
		schedule_timeout_killable(nsecs_to_jiffies(wait_ns) + 1);
	return fatal_signal_pending(current) ? -EINTR : 0;
}

/* At unload: no call can come any more. */
void abuse_pace_forget_all(void)
{
	struct abuse_pace *pace, *next;

	list_for_each_entry_safe(pace, next, &abuse_paces, node)
		kfree(pace);
	INIT_LIST_HEAD(&abuse_paces);
}
