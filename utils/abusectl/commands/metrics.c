// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (C) 2026 the abuse authors
/*
 * abusectl metrics: the state of all devices in the text format of Prometheus, for the textfile
 * collector of node_exporter. From sysfs; needs no permission.
 */
#include "cmd.h"
#include "complete.h"
#include "json-text.h"
#include "latency.h"
#include "options.h"

#include <errno.h>
#include <inttypes.h>
#include <libabuse.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- one value a device ---- */

static double is_up(const struct abuse_dev *dev)
{
	return !strcmp(dev->state, "up");
}

static double oldest(const struct abuse_dev *dev)
{
	return (double)dev->oldest_ms / 1000;
}

static double redirected(const struct abuse_dev *dev)
{
	char text[64];

	device_attribute((unsigned int)dev->number, "redirected", text, sizeof(text));
	return strtod(text, NULL);
}

#define FIELD(name)						\
static double name(const struct abuse_dev *dev)			\
{								\
	return (double)dev->name;				\
}

FIELD(ready)
FIELD(servers)
FIELD(size)
FIELD(queued)
FIELD(held)
FIELD(served)
FIELD(errors)
FIELD(returned)
FIELD(queue_limit)

static const struct metric {
	const char *name;
	const char *type;
	double (*value)(const struct abuse_dev *dev);
	const char *help;
} metrics[] = {
	{ "abuse_up", "gauge", is_up, "1 if the device is configured" },
	{ "abuse_ready", "gauge", ready, "1 if a live server serves it" },
	{ "abuse_servers", "gauge", servers, "Live servers" },
	{ "abuse_size_bytes", "gauge", size, "Capacity" },
	{ "abuse_queue_limit", "gauge", queue_limit, "Most requests that servers hold or may fetch at once" },
	{ "abuse_queued_requests", "gauge", queued, "Requests waiting to be fetched by a server" },
	{ "abuse_held_requests", "gauge", held, "Requests that servers hold" },
	{ "abuse_redirected_requests", "gauge", redirected, "Requests that the kernel executes on a file" },
	{ "abuse_oldest_request_seconds", "gauge", oldest, "Age of the oldest request" },
	{ "abuse_completed_requests_total", "counter", served, "Requests completed since configuration" },
	{ "abuse_failed_requests_total", "counter", errors, "Requests failed since configuration" },
	{ "abuse_returned_requests_total", "counter", returned,
	  "Requests that returned to the queue from dead servers, since configuration" },
};

/* Backslash, quote and newline are escaped in a label, which is UTF-8: a file with another byte is not read at all. */
static void print_label(FILE *out, const char *name, const char *value)
{
	unsigned int length;

	fprintf(out, "%s=\"", name);
	for (; *value; value += length ? length : 1) {
		length = json_utf8_length((const unsigned char *)value);
		if (*value == '\\' || *value == '"')
			putc('\\', out);
		if (*value == '\n')
			fputs("\\n", out);
		else if (length)
			fwrite(value, 1, length, out);
		else
			fputs(JSON_REPLACEMENT, out);
	}
	putc('"', out);
}

static void print_head(FILE *out, const char *name, const char *type, const char *help)
{
	fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void print_metric(FILE *out, const struct metric *metric, const struct devices *all)
{
	size_t i;

	print_head(out, metric->name, metric->type, metric->help);
	for (i = 0; i < all->nr; i++)
		fprintf(out, "%s{device=\"abuse%" PRIu64 "\"} %.17g\n", metric->name,
			all->devs[i].number, metric->value(&all->devs[i]));
}

static void print_info(FILE *out, const struct devices *all)
{
	char store[ABUSE_STORE_LEN + 1];
	size_t i;

	print_head(out, "abuse_device_info", "gauge", "1, with the names of the device as labels");
	for (i = 0; i < all->nr; i++) {
		const struct abuse_dev *dev = &all->devs[i];

		device_attribute((unsigned int)dev->number, "store", store, sizeof(store));
		fprintf(out, "abuse_device_info{device=\"abuse%" PRIu64 "\",", dev->number);
		print_label(out, "name", dev->name);
		putc(',', out);
		print_label(out, "backing", store);
		fprintf(out, ",owner=\"%" PRIu64 "\"} 1\n", dev->owner);
	}
}

/* ---- latencies ---- */

#define LATENCY	"abuse_request_duration_seconds"

static void print_histogram(FILE *out, const struct abuse_dev *dev, enum latency_op op)
{
	struct latency latency;
	uint64_t sum = 0;
	unsigned int i;
	char labels[96];

	latency_read((unsigned int)dev->number, op, &latency);
	snprintf(labels, sizeof(labels), "device=\"abuse%" PRIu64 "\",op=\"%s\"", dev->number,
		 latency_op_names[op]);
	for (i = 0; i < latency.nr && latency.buckets[i].below != UINT64_MAX; i++) {
		sum += latency.buckets[i].count;
		fprintf(out, LATENCY "_bucket{%s,le=\"%.9g\"} %" PRIu64 "\n", labels,
			(double)latency.buckets[i].below / 1e9, sum);
	}
	fprintf(out, LATENCY "_bucket{%s,le=\"+Inf\"} %" PRIu64 "\n", labels,
		latency_count(&latency));
	fprintf(out, LATENCY "_sum{%s} %.9f\n", labels, (double)latency.sum / 1e9);
	fprintf(out, LATENCY "_count{%s} %" PRIu64 "\n", labels, latency_count(&latency));
}

static void print_latencies(FILE *out, const struct devices *all)
{
	enum latency_op op;
	size_t i;

	print_head(out, LATENCY, "histogram",
		   "Time from the start of a request in the block layer to its completion");
	for (i = 0; i < all->nr; i++)
		for (op = 0; op < NR_LATENCY_OPS; op++)
			print_histogram(out, &all->devs[i], op);
}

/* ---- the verb ---- */

static void print_all(FILE *out, const struct devices *all, bool with_latency)
{
	size_t i;

	print_info(out, all);
	for (i = 0; i < sizeof(metrics) / sizeof(*metrics); i++)
		print_metric(out, &metrics[i], all);
	if (with_latency)
		print_latencies(out, all);
}

/* Readers see the old file or the new one, never a part. */
static int replace_file(const char *path, const struct devices *all, bool with_latency)
{
	char *made;
	FILE *out;
	int fd, err = 0;

	if (asprintf(&made, "%s.XXXXXX", path) < 0)
		return failed(path, "out of memory");
	fd = mkstemp(made);
	out = fd < 0 ? NULL : fdopen(fd, "w");
	if (!out) {
		err = failed(path, "cannot create a file beside it: %s", strerror(errno));
		free(made);
		return err;
	}
	print_all(out, all, with_latency);
	err = ferror(out) || fchmod(fd, 0644);
	err = fclose(out) || err || rename(made, path);
	if (err) {
		err = failed(path, "cannot be written: %s", strerror(errno));
		unlink(made);
	}
	free(made);
	return err;
}

static const struct opt options[] = {
	{ .letter = 'l', .name = "latency",
	  .help = "latency histograms, too; the devices record for the next 5 minutes" },
	{ .letter = 'o', .name = "output", .value = "FILE",
	  .help = "replace FILE at once, in place of standard output" },
	{ 0 },
};

static int run(int argc, char **argv)
{
	const char *value, *path = NULL;
	struct devices all = { 0 };
	bool with_latency = false;
	int option, status;

	while ((option = option_next(&cmd_metrics, argc, argv, &value)) > 0) {
		with_latency |= option == 'l';
		if (option == 'o')
			path = value;
	}
	if (option < 0)
		return option_status(option);
	status = devices_collect(argv + optind, &all);
	if (status == EXIT_OK && path)
		status = replace_file(path, &all, with_latency);
	else if (status == EXIT_OK)
		print_all(stdout, &all, with_latency);
	free(all.devs);
	return status;
}

static void details(void)
{
	size_t i;

	puts("Metrics, each with the label device=\"abuseN\":");
	for (i = 0; i < sizeof(metrics) / sizeof(*metrics); i++)
		printf("  %-32s %s\n", metrics[i].name, metrics[i].help);
	puts("  abuse_device_info                1, with the labels name, backing and owner\n"
	     "  " LATENCY "   histogram by op, with --latency");
}

static void complete(int argc, char **argv)
{
	const char *word = argv[argc - 1], *before = argv[argc - 2];

	if (!strcmp(before, "-o") || !strcmp(before, "--output")) {
		complete_files(word, 0);
		return;
	}
	options_complete(&cmd_metrics, word);
	complete_devices(word);
}

const struct cmd cmd_metrics = {
	.name = "metrics",
	.run = run,
	.args = "[-l] [-o FILE] [DEV]",
	.options = options,
	.summary = "print metrics of all devices for Prometheus",
	.details = details,
	.complete = complete,
};
