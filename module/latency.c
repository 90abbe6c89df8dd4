// SPDX-License-Identifier: GPL-2.0-only
// Copyright (C) 2026 the abuse authors
/*
 * Latency histograms, one for each operation, in /sys/class/abuse/abctlN/latency/. Reading a
 * file of a device makes that device record, until ABUSE_LATENCY_WATCH after the last such
 * read of any device. While no device records, a request passes a patched-out branch.
 *
 * The latency of a request is the time from its start in the block layer to its
 * completion. Requests that no server and no file completed (RESET, time-outs) are not
 * recorded, nor is anything of a disk whose queue/iostats is 0, which takes no time stamps.
 */
#include <linux/bitops.h>
#include <linux/jump_label.h>
#include <linux/ktime.h>
#include <linux/percpu.h>
#include <linux/sysfs.h>

#include "abuse.h"

#define ABUSE_LATENCY_WATCH	(300 * HZ)

/* Up to 2^10 ns, then four intervals an octave, then from 2^34 ns (17 s) on. */
#define ABUSE_LATENCY_LOW	10
#define ABUSE_LATENCY_HIGH	34
#define ABUSE_LATENCY_BUCKETS	(4 * (ABUSE_LATENCY_HIGH - ABUSE_LATENCY_LOW) + 2)
#define ABUSE_LATENCY_OPS	(ABUSE_OP_WRITE_ZEROES + 1)

struct abuse_latency {
	u64 sum[ABUSE_LATENCY_OPS];	/* ns */
	u32 count[ABUSE_LATENCY_OPS][ABUSE_LATENCY_BUCKETS];
};

DEFINE_STATIC_KEY_FALSE(abuse_latency_key);

static DEFINE_MUTEX(abuse_latency_lock);	/* the key, the end, and dev->latency from NULL */
static unsigned long abuse_latency_end;

static unsigned int abuse_latency_bucket(u64 ns)
{
	unsigned int octave;

	if (ns < 1ULL << ABUSE_LATENCY_LOW)
		return 0;
	octave = fls64(ns) - 1;
	if (octave >= ABUSE_LATENCY_HIGH)
		return ABUSE_LATENCY_BUCKETS - 1;
	return 1 + 4 * (octave - ABUSE_LATENCY_LOW) + ((ns >> (octave - 2)) & 3);
}

/* The first latency that is in a later bucket, in nanoseconds; not of the last one. */
static u64 abuse_latency_upper(unsigned int bucket)
{
	unsigned int octave = ABUSE_LATENCY_LOW + (bucket - 1) / 4;

	if (!bucket)
		return 1ULL << ABUSE_LATENCY_LOW;
	return (u64)(4 + (bucket - 1) % 4 + 1) << (octave - 2);
}

void abuse_latency_record(struct abuse_device *dev, const struct request *rq)
{
	struct abuse_latency __percpu *latency = READ_ONCE(dev->latency);
	u64 begin = rq->start_time_ns;
	u32 op = abuse_rq_op(rq);
	u64 ns;

	if (!latency || !begin || op >= ABUSE_LATENCY_OPS)
		return;
	ns = ktime_get_ns() - begin;
	this_cpu_inc(latency->count[op][abuse_latency_bucket(ns)]);
	this_cpu_add(latency->sum[op], ns);
}

static void abuse_latency_expire(struct work_struct *work);
static DECLARE_DELAYED_WORK(abuse_latency_work, abuse_latency_expire);

static void abuse_latency_expire(struct work_struct *work)
{
	mutex_lock(&abuse_latency_lock);
	if (time_before(jiffies, abuse_latency_end))
		schedule_delayed_work(&abuse_latency_work, abuse_latency_end - jiffies);
	else
		static_branch_disable(&abuse_latency_key);
	mutex_unlock(&abuse_latency_lock);
}

static int abuse_latency_watch(struct abuse_device *dev)
{
	struct abuse_latency __percpu *latency;
	int err = 0;

	mutex_lock(&abuse_latency_lock);
	if (!dev->latency) {
		latency = alloc_percpu_gfp(struct abuse_latency, GFP_KERNEL_ACCOUNT);
		if (latency)
			smp_store_release(&dev->latency, latency);	/* after the zeroes in it */
		else
			err = -ENOMEM;
	}
	if (!err) {
		abuse_latency_end = jiffies + ABUSE_LATENCY_WATCH;
		if (!static_key_enabled(&abuse_latency_key)) {
			static_branch_enable(&abuse_latency_key);
			schedule_delayed_work(&abuse_latency_work, ABUSE_LATENCY_WATCH);
		}
	}
	mutex_unlock(&abuse_latency_lock);
	return err;
}

/*
 * "sum" and the sum of all latencies in nanoseconds, then a line for each bucket that is not
 * empty: its upper end in nanoseconds, its count.
 */
static ssize_t abuse_latency_show(struct device *node, char *buf, u32 op)
{
	struct abuse_device *dev = dev_get_drvdata(node);
	int err = abuse_latency_watch(dev);
	unsigned int i;
	u64 total = 0;
	ssize_t len;
	int cpu;

	if (err)
		return err;
	for_each_possible_cpu(cpu)
		total += READ_ONCE(per_cpu_ptr(dev->latency, cpu)->sum[op]);
	len = sysfs_emit(buf, "sum %llu\n", total);
	for (i = 0; i < ABUSE_LATENCY_BUCKETS; i++) {
		u32 sum = 0;

		for_each_possible_cpu(cpu)
			sum += READ_ONCE(per_cpu_ptr(dev->latency, cpu)->count[op][i]);
		if (!sum)
			continue;
		if (i == ABUSE_LATENCY_BUCKETS - 1)
			len += sysfs_emit_at(buf, len, "inf %u\n", sum);
		else
			len += sysfs_emit_at(buf, len, "%llu %u\n", abuse_latency_upper(i), sum);
	}
	return len;
}

#define ABUSE_LATENCY_ATTRIBUTE(name, op)					\
static ssize_t name##_show(struct device *node, struct device_attribute *attr,	\
			   char *buf)						\
{										\
	return abuse_latency_show(node, buf, op);				\
}										\
static DEVICE_ATTR_RO(name)

ABUSE_LATENCY_ATTRIBUTE(read, ABUSE_OP_READ);
ABUSE_LATENCY_ATTRIBUTE(write, ABUSE_OP_WRITE);
ABUSE_LATENCY_ATTRIBUTE(flush, ABUSE_OP_FLUSH);
ABUSE_LATENCY_ATTRIBUTE(discard, ABUSE_OP_DISCARD);
ABUSE_LATENCY_ATTRIBUTE(write_zeroes, ABUSE_OP_WRITE_ZEROES);

static struct attribute *abuse_latency_attributes[] = {
	&dev_attr_read.attr,
	&dev_attr_write.attr,
	&dev_attr_flush.attr,
	&dev_attr_discard.attr,
	&dev_attr_write_zeroes.attr,
	NULL,
};

const struct attribute_group abuse_latency_group = {
	.name = "latency",
	.attrs = abuse_latency_attributes,
};

/* At unload, when no device is left. */
void abuse_latency_stop(void)
{
	cancel_delayed_work_sync(&abuse_latency_work);
}
