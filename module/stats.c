// SPDX-License-Identifier: GPL-2.0-only
// Copyright (C) 2026 the abuse authors
/*
 * The counters of a device, and its attributes below /sys/class/abuse/abctlN:
 * state, owner and counters, one value a file; admitted can be written.
 */
#include <linux/cred.h>
#include <linux/kernel.h>
#include <linux/math64.h>
#include <linux/percpu.h>
#include <linux/sysfs.h>
#include <linux/uidgid.h>

#include "abuse.h"

static struct abuse_stats abuse_stats_total(const struct abuse_device *dev)
{
	struct abuse_stats sum = { };
	int cpu;

	for_each_possible_cpu(cpu) {
		const struct abuse_stats *stats = per_cpu_ptr(dev->stats, cpu);

		sum.served += READ_ONCE(stats->served);
		sum.errors += READ_ONCE(stats->errors);
		sum.returned += READ_ONCE(stats->returned);
		sum.refused += READ_ONCE(stats->refused);
		sum.bytes += READ_ONCE(stats->bytes);
		sum.map_in_place += READ_ONCE(stats->map_in_place);
		sum.map_by_worker += READ_ONCE(stats->map_by_worker);
		sum.map_missed += READ_ONCE(stats->map_missed);
	}
	return sum;
}

struct abuse_stats abuse_stats_since_set_up(const struct abuse_device *dev)
{
	struct abuse_stats sum = abuse_stats_total(dev);

	sum.served -= dev->past.served;
	sum.errors -= dev->past.errors;
	sum.returned -= dev->past.returned;
	sum.refused -= dev->past.refused;
	sum.bytes -= dev->past.bytes;
	sum.map_in_place -= dev->past.map_in_place;
	sum.map_by_worker -= dev->past.map_by_worker;
	sum.map_missed -= dev->past.map_missed;
	return sum;
}

/* The counters of the former configuration are of the past. */
void abuse_stats_set_up(struct abuse_device *dev)
{
	lockdep_assert_held(&dev->lock);
	dev->past = abuse_stats_total(dev);
}

/* Within the queue limit, held or not. A hint, without a lock. */
unsigned int abuse_count_unanswered(const struct abuse_device *dev)
{
	unsigned int n = 0;
	u32 i;

	for (i = 0; i < dev->nr_slots; i++)
		n += abuse_word_state(abuse_slot_word(&dev->slots[i])) !=
		     ABUSE_FREE && !READ_ONCE(dev->slots[i].in_backlog);
	return n;
}

#define ABUSE_ATTRIBUTE(name, format, value)				\
static ssize_t name##_show(struct device *node,				\
			   struct device_attribute *attr, char *buf)	\
{									\
	struct abuse_device *dev = dev_get_drvdata(node);		\
									\
	return sysfs_emit(buf, format "\n", value);			\
}									\
static DEVICE_ATTR_RO(name)

static const char *abuse_state_name(const struct abuse_device *dev)
{
	switch (READ_ONCE(dev->state)) {
	case ABUSE_S_EMPTY:
	case ABUSE_S_EMPTYING:
		return "empty";
	case ABUSE_S_UP:
		return "up";
	default:
		return "dying";
	}
}

static bool abuse_is_device_up(const struct abuse_device *dev)
{
	return READ_ONCE(dev->state) == ABUSE_S_UP;
}

static u64 abuse_map_nr_extents(const struct abuse_device *dev)
{
	const struct abuse_mapping *map = READ_ONCE(dev->map);

	return map ? READ_ONCE(map->nr_extents) : 0;
}

struct snapshot {
	unsigned int queued;	/* unanswered and nobody's */
	unsigned int held;
	unsigned int redirected;
	u64 oldest_ms;		/* age */
};

/* A hint, without the lock: anyone may ask as often as he likes. */
static struct snapshot abuse_stats_look(struct abuse_device *dev)
{
	u64 now = abuse_tick_ns(), oldest = now;
	struct snapshot t = { };
	u32 i;

	for (i = 0; i < dev->nr_slots; i++) {
		switch (abuse_word_state(abuse_slot_word(&dev->slots[i]))) {
		case ABUSE_FREE:
			continue;
		case ABUSE_HELD:
		case ABUSE_CLAIMED_HELD:
			t.held++;
			break;
		case ABUSE_REDIRECTED:
			t.redirected++;
			break;
		default:
			t.queued++;
		}
		oldest = min(oldest, abuse_queued_ns(&dev->slots[i]));
	}
	t.oldest_ms = div_u64(now - oldest, NSEC_PER_MSEC);
	return t;
}

ABUSE_ATTRIBUTE(state, "%s", abuse_state_name(dev));
ABUSE_ATTRIBUTE(owner, "%u", from_kuid_munged(current_user_ns(), dev->owner));
ABUSE_ATTRIBUTE(trusted, "%d", abuse_is_device_up(dev) && READ_ONCE(dev->sealed));
ABUSE_ATTRIBUTE(ready, "%d", abuse_is_device_up(dev) && READ_ONCE(dev->ready));
ABUSE_ATTRIBUTE(claimed, "%d", abuse_disk_has_holder(dev->disk));
ABUSE_ATTRIBUTE(openers, "%u", READ_ONCE(dev->openers));
ABUSE_ATTRIBUTE(read_only, "%d", abuse_is_device_up(dev) && READ_ONCE(dev->read_only));
ABUSE_ATTRIBUTE(queue_limit, "%u", abuse_is_device_up(dev) ? READ_ONCE(dev->queue_limit) : 0);
ABUSE_ATTRIBUTE(hw_queues, "%u", dev->hw_queues);
ABUSE_ATTRIBUTE(depth, "%u", dev->depth);
ABUSE_ATTRIBUTE(queued, "%u", abuse_stats_look(dev).queued);
ABUSE_ATTRIBUTE(held, "%u", abuse_stats_look(dev).held);
ABUSE_ATTRIBUTE(redirected, "%u", abuse_stats_look(dev).redirected);
ABUSE_ATTRIBUTE(oldest_ms, "%llu", abuse_stats_look(dev).oldest_ms);
ABUSE_ATTRIBUTE(served, "%llu", abuse_stats_since_set_up(dev).served);
ABUSE_ATTRIBUTE(errors, "%llu", abuse_stats_since_set_up(dev).errors);
ABUSE_ATTRIBUTE(returned, "%llu", abuse_stats_since_set_up(dev).returned);
ABUSE_ATTRIBUTE(map_in_place, "%llu", abuse_stats_since_set_up(dev).map_in_place);
ABUSE_ATTRIBUTE(map_by_worker, "%llu", abuse_stats_since_set_up(dev).map_by_worker);
ABUSE_ATTRIBUTE(map_missed, "%llu", abuse_stats_since_set_up(dev).map_missed);
ABUSE_ATTRIBUTE(map_extents, "%llu", abuse_map_nr_extents(dev));

/*
 * With the lock, so that no line is half of one set-up and half of another. Name and UUID stay
 * without a set-up, the store does not.
 */
static void abuse_stats_copy_params(struct abuse_device *dev, struct abuse_params *params)
{
	spin_lock(&dev->lock);
	*params = dev->params;
	if (dev->state != ABUSE_S_UP)
		params->store[0] = 0;
	spin_unlock(&dev->lock);
}

#define ABUSE_PARAMS_ATTRIBUTE(name, format)				\
static ssize_t name##_show(struct device *node,				\
			   struct device_attribute *attr, char *buf)	\
{									\
	struct abuse_params params;					\
									\
	abuse_stats_copy_params(dev_get_drvdata(node), &params);	\
	return sysfs_emit(buf, format "\n", params.name);		\
}									\
static DEVICE_ATTR_RO(name)

ABUSE_PARAMS_ATTRIBUTE(name, "%s");
ABUSE_PARAMS_ATTRIBUTE(uuid, "%pU");
ABUSE_PARAMS_ATTRIBUTE(store, "%s");

static ssize_t servers_show(struct device *node, struct device_attribute *attr,
			    char *buf)
{
	return abuse_servers_show(dev_get_drvdata(node), buf);
}
static DEVICE_ATTR_RO(servers);

static ssize_t admitted_show(struct device *node, struct device_attribute *attr,
			     char *buf)
{
	struct abuse_device *dev = dev_get_drvdata(node);

	return sysfs_emit(buf, "%d\n", abuse_access_is_admitted(dev));
}

static ssize_t admitted_store(struct device *node, struct device_attribute *attr,
			      const char *buf, size_t count)
{
	struct abuse_device *dev = dev_get_drvdata(node);
	bool admit;
	int err;

	err = kstrtobool(buf, &admit);
	if (!err)
		err = abuse_access_admit(dev, admit);
	return err ? err : count;
}
static DEVICE_ATTR_RW(admitted);

static struct attribute *abuse_attributes[] = {
	&dev_attr_state.attr,
	&dev_attr_owner.attr,
	&dev_attr_trusted.attr,
	&dev_attr_admitted.attr,
	&dev_attr_ready.attr,
	&dev_attr_claimed.attr,
	&dev_attr_openers.attr,
	&dev_attr_servers.attr,
	&dev_attr_read_only.attr,
	&dev_attr_name.attr,
	&dev_attr_uuid.attr,
	&dev_attr_store.attr,
	&dev_attr_queue_limit.attr,
	&dev_attr_hw_queues.attr,
	&dev_attr_depth.attr,
	&dev_attr_queued.attr,
	&dev_attr_held.attr,
	&dev_attr_redirected.attr,
	&dev_attr_oldest_ms.attr,
	&dev_attr_served.attr,
	&dev_attr_errors.attr,
	&dev_attr_returned.attr,
	&dev_attr_map_in_place.attr,
	&dev_attr_map_by_worker.attr,
	&dev_attr_map_missed.attr,
	&dev_attr_map_extents.attr,
	NULL,
};

static const struct attribute_group abuse_attribute_group = {
	.attrs = abuse_attributes,
};

const struct attribute_group *abuse_attribute_groups[] = {
	&abuse_attribute_group,
	&abuse_latency_group,
	NULL,
};
