/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * The checker of histories says the same as one that tries every order of the operations: of 20,000
 * small histories by chance, most of which cannot be explained.
 */
#include "history.h"
#include "test.h"

#define MOST	6

static uint64_t state = 1;

static unsigned int below(unsigned int n)
{
	state = state * 6364136223846793005ULL + 1442695040888963407ULL;
	return (state >> 33) % n;
}

/* Whether some order of what is left explains it, from that value on. */
static bool can_go_on(const struct operation *ops, unsigned int nr, unsigned int done, uint64_t value)
{
	bool all = true;

	for (unsigned int i = 0; i < nr; i++) {
		bool is_first = !(done & 1 << i);

		all &= !is_first || (ops[i].is_write && ops[i].end == HISTORY_NEVER);
		for (unsigned int j = 0; j < nr; j++)
			is_first &= done & 1 << j || ops[j].end >= ops[i].begin;
		if (!is_first || (!ops[i].is_write && ops[i].value != value))
			continue;
		if (can_go_on(ops, nr, done | 1 << i, ops[i].value))
			return true;
	}
	return all;
}

int main(void)
{
	struct operation ops[MOST];
	unsigned int good = 0, bad = 0, other = 0;
	uint64_t value;

	for (unsigned int round = 0; round < 20000; round++) {
		unsigned int nr = 2 + below(MOST - 1);
		int64_t times[2 * MOST];
		uint64_t writes = 0;
		bool can;

		/* No two at one time. */
		for (unsigned int i = 0; i < 2 * MOST; i++) {
			unsigned int j = below(i + 1);

			times[i] = times[j];
			times[j] = i;
		}
		for (unsigned int i = 0; i < nr; i++) {
			int64_t a = times[2 * i], b = times[2 * i + 1];

			ops[i] = (struct operation){ .begin = a < b ? a : b, .end = a < b ? b : a,
						     .is_write = below(2) };
			if (ops[i].is_write) {
				ops[i].value = ++writes;
				if (!below(6))
					ops[i].end = HISTORY_NEVER;
			}
		}
		for (unsigned int i = 0; i < nr; i++)
			if (!ops[i].is_write)
				ops[i].value = below(writes + 1);
		can = can_go_on(ops, nr, 0, 0);
		good += can;
		bad += !can;
		other += can != !history_fault(ops, nr, &value);
	}
	is(other, 0, "verdicts that differ");
	ok(good > 2000 && bad > 2000, "%u can be explained, %u cannot", good, bad);
	return done();
}
