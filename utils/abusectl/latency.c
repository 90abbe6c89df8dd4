// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (C) 2026 the abuse authors
#include "latency.h"

#include "cmd.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const latency_op_names[NR_LATENCY_OPS] = {
	"read", "write", "flush", "discard", "write_zeroes",
};

static void take_line(const char *line, struct latency *latency)
{
	uint64_t below, count;

	if (sscanf(line, "sum %" SCNu64, &latency->sum) == 1 || latency->nr == LATENCY_BUCKETS)
		return;
	if (sscanf(line, "inf %" SCNu64, &count) == 1)
		below = UINT64_MAX;
	else if (sscanf(line, "%" SCNu64 " %" SCNu64, &below, &count) != 2)
		return;
	latency->buckets[latency->nr].below = below;
	latency->buckets[latency->nr++].count = count;
}

void latency_read(unsigned int number, enum latency_op op, struct latency *latency)
{
	char name[64], text[DEVICE_TEXT], *rest = text, *line;

	memset(latency, 0, sizeof(*latency));
	snprintf(name, sizeof(name), "latency/%s", latency_op_names[op]);
	device_text(number, name, text, sizeof(text));
	while ((line = strsep(&rest, "\n")))
		take_line(line, latency);
}

static uint64_t count_below(const struct latency *latency, uint64_t below)
{
	unsigned int i;

	for (i = 0; i < latency->nr; i++)
		if (latency->buckets[i].below == below)
			return latency->buckets[i].count;
	return 0;
}

/* The module counts in 32 bits, which may wrap between two reads. */
void latency_subtract(struct latency *now, const struct latency *before)
{
	unsigned int i;

	now->sum -= before->sum;
	for (i = 0; i < now->nr; i++)
		now->buckets[i].count = (uint32_t)(now->buckets[i].count -
						   count_below(before, now->buckets[i].below));
}

uint64_t latency_count(const struct latency *latency)
{
	uint64_t count = 0;
	unsigned int i;

	for (i = 0; i < latency->nr; i++)
		count += latency->buckets[i].count;
	return count;
}

uint64_t latency_percentile(const struct latency *latency, double share)
{
	double wanted = share * (double)latency_count(latency);
	uint64_t sum = 0;
	unsigned int i;

	for (i = 0; i < latency->nr; i++) {
		sum += latency->buckets[i].count;
		if (sum && (double)sum >= wanted)
			return latency->buckets[i].below;
	}
	return 0;
}
