// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (C) 2026 the abuse authors
/*
 * attach HOW N: adds N devices one after the other, HOW: null_blk (through configfs), add (ADD, then SET_PARAMS on
 * the node) or born (ADD with params and OPEN); prints the median and the 99th percentile of the time that one takes,
 * in microseconds, and waits for the end of its input. Then all of them are removed.
 */
#include <fcntl.h>
#include <linux/abuse.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define CAPACITY	(64U << 20)
#define DEPTH		128
#define NULL_BLK	"/sys/kernel/config/nullb/"

static int control;

static void need(int is_good, const char *what)
{
	if (is_good)
		return;
	perror(what);
	exit(1);
}

static void put(const char *dir, const char *file, const char *text)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	fd = open(path, O_WRONLY);
	need(fd >= 0 && write(fd, text, strlen(text)) > 0, path);
	close(fd);
}

/* Returns what undo_null_blk() needs. */
static unsigned int do_null_blk(unsigned int i)
{
	char dir[64];

	snprintf(dir, sizeof(dir), NULL_BLK "bench%u", i);
	need(!mkdir(dir, 0700), dir);
	put(dir, "size", "64");
	put(dir, "submit_queues", "1");
	put(dir, "hw_queue_depth", "128");
	put(dir, "power", "1");
	return i;
}

static void undo_null_blk(unsigned int i)
{
	char dir[64];

	snprintf(dir, sizeof(dir), NULL_BLK "bench%u", i);
	put(dir, "power", "0");
	need(!rmdir(dir), dir);
}

static struct abuse_add wanted(void)
{
	return (struct abuse_add){ .size = sizeof(struct abuse_add), .number = ABUSE_NUMBER_ANY, .depth = DEPTH };
}

static struct abuse_params params_wanted(void)
{
	return (struct abuse_params){ .size = sizeof(struct abuse_params), .capacity = CAPACITY };
}

static unsigned int do_add(unsigned int i)
{
	struct abuse_params params = params_wanted();
	struct abuse_add add = wanted();
	char node[32];
	int fd;

	(void)i;
	need(!ioctl(control, ABUSE_CTL_ADD, &add), "ADD");
	snprintf(node, sizeof(node), "/dev/abctl%u", add.number);
	fd = open(node, O_RDWR);
	need(fd >= 0 && !ioctl(fd, ABUSE_SET_PARAMS, &params), node);
	return add.number;
}

static unsigned int do_born(unsigned int i)
{
	struct abuse_params params = params_wanted();
	struct abuse_add add = wanted();

	(void)i;
	add.flags = ABUSE_ADD_OPEN;
	add.params = (uintptr_t)&params;
	need(ioctl(control, ABUSE_CTL_ADD, &add) >= 0, "ADD with params");
	return add.number;
}

static void undo_add(unsigned int number)
{
	char node[32];
	int fd;

	snprintf(node, sizeof(node), "/dev/abctl%u", number);
	fd = open(node, O_RDWR);
	need(fd >= 0 && !ioctl(fd, ABUSE_RESET, 0), node);
	close(fd);
	while (ioctl(control, ABUSE_CTL_REMOVE, (unsigned long)number))
		usleep(1000);
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1e6 + time.tv_nsec / 1e3;
}

static int compare(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

int main(int argc, char **argv)
{
	const char *how = argc == 3 ? argv[1] : "";
	unsigned int (*make)(unsigned int) = !strcmp(how, "null_blk") ? do_null_blk : !strcmp(how, "add") ? do_add :
					     !strcmp(how, "born") ? do_born : NULL;
	void (*undo)(unsigned int) = make == do_null_blk ? undo_null_blk : undo_add;
	unsigned int n = argc == 3 ? (unsigned int)atoi(argv[2]) : 0, i;
	struct rlimit limit = { n + 64, n + 64 };
	unsigned int *made = calloc(n + 1, sizeof(*made));
	double *took = calloc(n + 1, sizeof(*took)), began;

	if (!make || !n || !made || !took) {
		fprintf(stderr, "usage: attach null_blk|add|born N\n");
		return 2;
	}
	setrlimit(RLIMIT_NOFILE, &limit);
	control = make == do_null_blk ? -1 : open("/dev/abuse-control", O_RDWR);
	for (i = 0; i < n; i++) {
		began = now();
		made[i] = make(i);
		took[i] = now() - began;
	}
	qsort(took, n, sizeof(*took), compare);
	printf("%s: p50 %.0f us, p99 %.0f us\n", how, took[n / 2], took[n * 99 / 100]);
	fflush(stdout);
	while (getchar() != EOF)
		;
	for (i = 0; i < n; i++)
		undo(made[i]);
	return 0;
}
