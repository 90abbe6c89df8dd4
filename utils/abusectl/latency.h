/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * The module's latency histograms (/sys/class/abuse/abctlN/latency/OPERATION). Reading one
 * makes the device record, until five minutes after the last such read.
 */
#ifndef ABUSECTL_LATENCY_H
#define ABUSECTL_LATENCY_H

#include <stdint.h>

enum latency_op {
	LATENCY_READ, LATENCY_WRITE, LATENCY_FLUSH, LATENCY_DISCARD, LATENCY_WRITE_ZEROES,
	NR_LATENCY_OPS,
};

extern const char *const latency_op_names[NR_LATENCY_OPS];	/* file names in sysfs, too */

#define LATENCY_BUCKETS	100

/* Buckets that are not empty, in ascending order. */
struct latency {
	uint64_t sum;				/* ns */
	unsigned int nr;
	struct {
		uint64_t below;			/* ns, exclusive; UINT64_MAX: no limit */
		uint64_t count;			/* of this bucket alone */
	} buckets[LATENCY_BUCKETS];
};

/* All zero if the device or its module has none. */
void latency_read(unsigned int number, enum latency_op op, struct latency *latency);

/* In place: what @now counts more than @before */
void latency_subtract(struct latency *now, const struct latency *before);

uint64_t latency_count(const struct latency *latency);

/*
 * The upper end in ns of the bucket in which @share (0 .. 1) of all requests is reached, 25 %
 * above the true value at most; 0: there was no request.
 */
uint64_t latency_percentile(const struct latency *latency, double share);

#endif /* ABUSECTL_LATENCY_H */
