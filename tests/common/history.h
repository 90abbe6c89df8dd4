/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * Whether the reads and writes of one register can be explained: each seems to happen at one instant
 * between its begin and its end. Every write has a value of its own, 0 is what was there before.
 *
 * A value's zone reaches from the first end to the last begin of the operations that have it. If the end
 * is before the begin, the register had the value all through the zone, and no other value can have
 * such a zone that overlaps it, nor have all its operations within it. (Gibbons and Korach, Testing
 * Shared Memories, 1997: with unique values this is necessary and sufficient.)
 */
#ifndef TESTS_HISTORY_H
#define TESTS_HISTORY_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#define HISTORY_NEVER	INT64_MAX	/* the end of a write that was not acknowledged */

struct operation {
	uint64_t value;
	int64_t begin, end;
	bool is_write;
};

struct zone {
	uint64_t value;
	int64_t first_end, last_begin, write_begin;
	bool was_written, was_read, may_be_lost;
};

static inline int history_by_value(const void *a, const void *b)
{
	const struct operation *p = a, *q = b;

	return p->value < q->value ? -1 : p->value > q->value;
}

static inline int64_t zone_low(const struct zone *z)
{
	return z->first_end < z->last_begin ? z->first_end : z->last_begin;
}

static inline int64_t zone_high(const struct zone *z)
{
	return z->first_end < z->last_begin ? z->last_begin : z->first_end;
}

static inline int history_by_low(const void *a, const void *b)
{
	int64_t p = zone_low(a), q = zone_low(b);

	return p < q ? -1 : p > q;
}

/* Puts the operations in another order. The zones of its values, and how many; NULL: no memory. */
static inline struct zone *history_zones(struct operation *ops, size_t nr, size_t *nr_zones)
{
	struct zone *zones = calloc(nr + 1, sizeof(*zones)), *z = zones;

	if (!zones)
		return NULL;
	*z = (struct zone){ .first_end = INT64_MIN, .last_begin = INT64_MIN,
			    .write_begin = INT64_MIN, .was_written = true };
	qsort(ops, nr, sizeof(*ops), history_by_value);
	for (size_t i = 0; i < nr; i++) {
		const struct operation *op = &ops[i];

		if (op->value != z->value)
			*++z = (struct zone){ .value = op->value, .first_end = INT64_MAX,
					      .last_begin = INT64_MIN };
		if (op->end < z->first_end)
			z->first_end = op->end;
		if (op->begin > z->last_begin)
			z->last_begin = op->begin;
		if (op->is_write) {
			z->was_written = true;
			z->write_begin = op->begin;
			z->may_be_lost = op->end == HISTORY_NEVER;
		} else {
			z->was_read = true;
		}
	}
	*nr_zones = z - zones + 1;
	return zones;
}

/* NULL: it can be explained. Else what cannot, and of which value. */
static inline const char *history_fault(struct operation *ops, size_t nr, uint64_t *value)
{
	const struct zone *forward = NULL;
	const char *fault = NULL;
	struct zone *zones;
	size_t n, kept = 0;

	zones = history_zones(ops, nr, &n);
	if (!zones)
		return "no memory";
	for (size_t i = 0; i < n && !fault; i++) {
		*value = zones[i].value;
		if (!zones[i].was_written)
			fault = "a read of what nobody wrote";
		else if (zones[i].first_end < zones[i].write_begin)
			fault = "a read before the write began";
		else if (zones[i].was_read || !zones[i].may_be_lost)
			zones[kept++] = zones[i];
	}
	if (fault)
		goto out;
	qsort(zones, kept, sizeof(*zones), history_by_low);
	for (size_t i = 0; i < kept && !fault; i++) {
		const struct zone *z = &zones[i];

		*value = z->value;
		if (z->first_end < z->last_begin) {
			if (forward && forward->last_begin > z->first_end)
				fault = "two values at one time";
			if (!forward || z->last_begin > forward->last_begin)
				forward = z;
		} else if (forward && zone_high(z) < forward->last_begin) {
			fault = "a write that was over before and after another value was there";
		}
	}
out:
	free(zones);
	return fault;
}

#endif /* TESTS_HISTORY_H */
