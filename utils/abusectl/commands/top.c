// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (C) 2026 the abuse authors
/*
 * abusectl top: rates, queues and latencies of the devices, again and again. From sysfs;
 * needs no permission.
 */
#include "cmd.h"
#include "complete.h"
#include "latency.h"
#include "options.h"
#include "parse.h"

#include <inttypes.h>
#include <libabuse.h>
#include <libsmartcols/libsmartcols.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define DEFAULT_DELAY	((int64_t)NSEC_PER_SEC)

/* One device at one time; counts are since the device was added. */
struct sample {
	uint64_t reads, writes;			/* requests */
	uint64_t read_sectors, written_sectors;	/* of 512 bytes */
	uint64_t errors;
	struct latency latency[2];		/* LATENCY_READ and LATENCY_WRITE */
};

struct watch {
	char *const *names;
	struct devices all;
	struct sample *before;			/* [all.nr] */
	int64_t taken_ns;
};

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * (int64_t)NSEC_PER_SEC + now.tv_nsec;
}

static void sample(const struct abuse_dev *dev, struct sample *s)
{
	unsigned int number = (unsigned int)dev->number;
	char name[64], text[DEVICE_TEXT];

	memset(s, 0, sizeof(*s));
	s->errors = dev->errors;
	snprintf(name, sizeof(name), "abuse%u/stat", number);
	device_text(number, name, text, sizeof(text));
	sscanf(text, "%" SCNu64 " %*u %" SCNu64 " %*u %" SCNu64 " %*u %" SCNu64,
	       &s->reads, &s->read_sectors, &s->writes, &s->written_sectors);
	latency_read(number, LATENCY_READ, &s->latency[LATENCY_READ]);
	latency_read(number, LATENCY_WRITE, &s->latency[LATENCY_WRITE]);
}

/* ---- the table: text of each cell from the difference of two samples ---- */

struct line {
	const struct abuse_dev *dev;
	struct sample d;			/* differences */
	double seconds;
};

#define CELL	32

static void rate(uint64_t count, const struct line *line, char text[CELL])
{
	snprintf(text, CELL, "%.0f", (double)count / line->seconds);
}

static void bandwidth(uint64_t sectors, const struct line *line, char text[CELL])
{
	snprintf(text, CELL, "%.1f", (double)sectors * 512 / line->seconds / (1 << 20));
}

static void percentile(const struct latency *latency, double share, char text[CELL])
{
	double us = (double)latency_percentile(latency, share) / 1000;

	if (!us)
		strcpy(text, "-");
	else
		snprintf(text, CELL, us < 10000 ? "%.0fus" : "%.0fms", us < 10000 ? us : us / 1000);
}

#define LATENCY_CELL(name, op, share)						\
static void name(const struct line *line, char text[CELL])			\
{										\
	percentile(&line->d.latency[op], share, text);				\
}

LATENCY_CELL(read_p50, LATENCY_READ, 0.5)
LATENCY_CELL(read_p99, LATENCY_READ, 0.99)
LATENCY_CELL(write_p50, LATENCY_WRITE, 0.5)
LATENCY_CELL(write_p99, LATENCY_WRITE, 0.99)

#define COUNT_CELL(name, value)							\
static void name(const struct line *line, char text[CELL])			\
{										\
	snprintf(text, CELL, "%" PRIu64, line->value);				\
}

COUNT_CELL(queued, dev->queued)
COUNT_CELL(held, dev->held)
COUNT_CELL(servers, dev->servers)
COUNT_CELL(errors, d.errors)

static void device(const struct line *line, char text[CELL])
{
	snprintf(text, CELL, "abuse%" PRIu64, line->dev->number);
}

static void read_rate(const struct line *line, char text[CELL])
{
	rate(line->d.reads, line, text);
}

static void write_rate(const struct line *line, char text[CELL])
{
	rate(line->d.writes, line, text);
}

static void read_bandwidth(const struct line *line, char text[CELL])
{
	bandwidth(line->d.read_sectors, line, text);
}

static void write_bandwidth(const struct line *line, char text[CELL])
{
	bandwidth(line->d.written_sectors, line, text);
}

static const struct cell {
	const char *name;
	void (*text)(const struct line *line, char text[CELL]);
	const char *help;
} cells[] = {
	{ "DEVICE", device, "name of the disk" },
	{ "R/S", read_rate, "reads per second" },
	{ "W/S", write_rate, "writes per second" },
	{ "RMIB/S", read_bandwidth, "MiB read per second" },
	{ "WMIB/S", write_bandwidth, "MiB written per second" },
	{ "R50", read_p50, "latency that half of the reads did not exceed" },
	{ "R99", read_p99, "latency that 99 % of the reads did not exceed" },
	{ "W50", write_p50, "the same of writes" },
	{ "W99", write_p99, "the same of writes" },
	{ "QUEUED", queued, "requests waiting to be fetched, now" },
	{ "HELD", held, "requests that servers hold, now" },
	{ "SERVERS", servers, "live servers, now" },
	{ "ERRORS", errors, "requests that failed meanwhile" },
};

#define NR_CELLS	(sizeof(cells) / sizeof(*cells))

static bool add_line(struct libscols_table *table, const struct line *line)
{
	struct libscols_line *made = scols_table_new_line(table, NULL);
	char text[CELL];
	size_t i;

	for (i = 0; made && i < NR_CELLS; i++) {
		cells[i].text(line, text);
		if (scols_line_set_data(made, i, text))
			return false;
	}
	return made;
}

static struct libscols_table *table_new(void)
{
	struct libscols_table *table = scols_new_table();
	size_t i;

	for (i = 0; table && i < NR_CELLS; i++) {
		if (!scols_table_new_column(table, cells[i].name, 0, i ? SCOLS_FL_RIGHT : 0)) {
			scols_unref_table(table);
			return NULL;
		}
	}
	return table;
}

/* ---- from one sample to the next ---- */

/* The sample of a device that was there the last time; NULL: it is new. */
static const struct sample *sample_before(const struct watch *then, uint64_t number)
{
	size_t i;

	for (i = 0; i < then->all.nr; i++)
		if (then->all.devs[i].number == number)
			return &then->before[i];
	return NULL;
}

static int take_samples(struct watch *watch)
{
	size_t i;
	int status;

	watch->all = (struct devices) { 0 };
	status = devices_collect(watch->names, &watch->all);
	watch->before = calloc(watch->all.nr + 1, sizeof(*watch->before));
	if (!watch->before)
		return failed("devices", "out of memory");
	for (i = 0; i < watch->all.nr; i++)
		sample(&watch->all.devs[i], &watch->before[i]);
	watch->taken_ns = now_ns();
	return status;
}

static void drop_samples(struct watch *watch)
{
	free(watch->all.devs);
	free(watch->before);
}

static void subtract(struct sample *now, const struct sample *before)
{
	now->reads -= before->reads;
	now->writes -= before->writes;
	now->read_sectors -= before->read_sectors;
	now->written_sectors -= before->written_sectors;
	/* A new configuration counts its errors from 0. */
	now->errors -= now->errors >= before->errors ? before->errors : 0;
	latency_subtract(&now->latency[LATENCY_READ], &before->latency[LATENCY_READ]);
	latency_subtract(&now->latency[LATENCY_WRITE], &before->latency[LATENCY_WRITE]);
}

static int print(const struct watch *now, const struct watch *then)
{
	struct libscols_table *table = table_new();
	bool is_complete = table;
	size_t i;

	for (i = 0; is_complete && i < now->all.nr; i++) {
		const struct abuse_dev *dev = &now->all.devs[i];
		const struct sample *before = sample_before(then, dev->number);
		struct line line = {
			.dev = dev, .d = now->before[i],
			.seconds = (double)(now->taken_ns - then->taken_ns) / NSEC_PER_SEC,
		};

		if (before) {
			subtract(&line.d, before);
			is_complete = add_line(table, &line);
		}
	}
	if (is_complete)
		scols_print_table(table);
	scols_unref_table(table);
	return is_complete ? EXIT_OK : failed("devices", "out of memory");
}

static void wait_for(int64_t delay)
{
	struct timespec t = { .tv_sec = delay / NSEC_PER_SEC, .tv_nsec = delay % NSEC_PER_SEC };

	while (nanosleep(&t, &t))
		;
}

static int watch(char *const *names, int64_t delay, uint64_t times)
{
	struct watch then = { .names = names }, now = { .names = names };
	uint64_t i;
	int status;

	if (!abuse_dev_is_loaded())
		return failed(NULL, "no devices: %s", module_remedy());
	status = take_samples(&then);

	for (i = 0; status == EXIT_OK && (!times || i < times); i++) {
		wait_for(delay);
		status = take_samples(&now);
		if (status == EXIT_OK) {
			if (isatty(STDOUT_FILENO))
				printf("\033[H\033[2J");	/* home, clear */
			else if (i)
				putchar('\n');
			status = print(&now, &then);
			fflush(stdout);
		}
		drop_samples(&then);
		then = now;
	}
	drop_samples(&then);
	return status;
}

static const struct opt options[] = {
	{ .letter = 'd', .name = "delay", .value = "TIME", .help = "time between two tables, at least 10ms (default 1s)" },
	{ .letter = 'n', .name = "iterations", .value = "N", .help = "stop after N tables" },
	{ 0 },
};

static int run(int argc, char **argv)
{
	int64_t delay = DEFAULT_DELAY;
	uint64_t times = 0;
	const char *value;
	int option;

	while ((option = option_next(&cmd_top, argc, argv, &value)) > 0) {
		if (option == 'd' && (parse_time(value, NSEC_PER_SEC, &delay) ||
				      delay < NSEC_PER_SEC / 100))
			return invalid("--delay", "%s: must be a time from 10ms on, such as 2s or 500ms", value);
		if (option == 'n' && (parse_number(value, &times) || !times))
			return invalid("--iterations", "%s: must be a number from 1 on", value);
	}
	if (option < 0)
		return option_status(option);
	return watch(argv + optind, delay, times);
}

static void details(void)
{
	size_t i;

	puts("Columns:");
	for (i = 0; i < NR_CELLS; i++)
		printf("  %-10s %s\n", cells[i].name, cells[i].help);
	puts("\nLatencies are measured from the start of a request in the block layer to its\n"
	     "completion, and rounded up by 25 % at most. Ctrl-C ends it.");
}

const struct cmd cmd_top = {
	.name = "top",
	.run = run,
	.args = "[-d TIME] [-n N] [DEV]",
	.options = options,
	.summary = "show rates, queues and latencies, again and again",
	.details = details,
	.complete = complete_device,
};
