// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (C) 2026 the abuse authors
/*
 * abuse-conform: try a server on a disk of its own, and print a verdict for each promise.
 * Arguments, the device, the table; and the end of a run in which nothing moves any more.
 */
#include "conform.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <libabuse.h>
#include <linux/fs.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define MOST		(8ULL << 20)	/* bytes that are tried */
#define MOST_NAMED	16		/* promises that are named */
#define PATIENCE	10		/* times the seconds of a step, without a completed request */

static struct subject subject = { .node = -1, .disk = -1, .seconds = 20, .kills = 20, .seed = 1 };
static const char *trying;
static bool was_added;
static bool is_over;			/* the watcher has said the last verdict */
static const char *only[MOST_NAMED];	/* promises; none: all */
static unsigned int nr_only;

static int complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

static int complain(const char *format, ...)
{
	va_list args;

	fputs("abuse-conform: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	return 1;
}

static void help(void)
{
	puts("Usage: abuse-conform [OPTION]... COMMAND [ARGUMENT]...\n"
	     "Try a server on a disk of its own, and print a verdict for each promise.\n\n"
	     "COMMAND serves a device in the foreground, and serves the same bytes again when it\n"
	     "is killed and started anew. {} in its words is the number of the device, {store}\n"
	     "the path of a block device for its store, {dir} that of a folder. Only with one of\n"
	     "these, power cuts and errors of the store are tried.\n\n"
	     "Options:\n"
	     "  -k, --kills N       kill it N times while it is busy (default 20)\n"
	     "  -p, --promise NAME  try this one, and others that are named so, instead of all\n"
	     "  -s, --seed N        seed for sizes and offsets of requests (default 1)\n"
	     "  -t, --timeout N     seconds that it may take to start or end (default 20)\n"
	     "  -h, --help\n"
	     "  -V, --version\n\n"
	     "Exit status: 0 all promises are kept, 1 not all, 2 wrong usage.");
}

/* ---- the device ---- */

void device_drop(unsigned int number, int node)
{
	int i;

	if (node >= 0) {
		abuse_ctl_reset(node);
		close(node);
	}
	/* A worker of udev may have it open for a moment. */
	for (i = 0; i < 500 && abuse_ctl_remove(number) == -EBUSY; i++)
		nanosleep(&(struct timespec){ .tv_nsec = 20000000 }, NULL);
}

/* Requests that wait end at RESET, and then the disk can be closed. */
static void drop_all(void)
{
	server_kill(subject.server);
	if (subject.node >= 0)
		abuse_ctl_reset(subject.node);
	if (subject.disk >= 0)
		close(subject.disk);
	if (was_added)
		device_drop(subject.number, subject.node);
	store_end();
}

int device_make(unsigned int *number, int *node)
{
	struct abuse_add add = { .number = ABUSE_NUMBER_ANY };
	char path[32];
	int ret = abuse_ctl_add(&add), i;

	if (ret) {
		complain("a device cannot be added: %s", strerror(-ret));
		return ret;
	}
	*number = add.number;
	*node = -1;
	snprintf(path, sizeof(path), "%u", add.number);
	for (i = 0; i < 500 && *node < 0; i++) {
		*node = abuse_dev_open(path);
		if (*node < 0)
			nanosleep(&(struct timespec){ .tv_nsec = 20000000 }, NULL);
	}
	if (*node >= 0)
		return 0;
	ret = *node;
	complain("/dev/abctl%u cannot be opened: %s", add.number, strerror(-ret));
	device_drop(add.number, -1);
	return ret;
}

int subject_open_disk(struct subject *its)
{
	char path[32];
	int block, i;

	snprintf(path, sizeof(path), "/dev/abuse%u", its->number);
	for (i = 0; i < 500 && its->disk < 0; i++) {
		its->disk = open(path, O_RDWR | O_DIRECT | O_EXCL | O_CLOEXEC);
		if (its->disk < 0)
			nanosleep(&(struct timespec){ .tv_nsec = 20000000 }, NULL);
	}
	if (its->disk < 0 || ioctl(its->disk, BLKGETSIZE64, &its->whole_size) || ioctl(its->disk, BLKSSZGET, &block)) {
		i = errno;
		complain("%s cannot be opened: %s", path, strerror(i));
		return -i;
	}
	its->block = (unsigned int)block;
	its->size = its->whole_size < MOST ? its->whole_size : MOST;
	if (its->size >= 1 << 20)
		return 0;
	complain("a disk of 1 MiB or more is needed");
	return -EINVAL;
}

/* For COMMAND, if it asks for one. */
static int make_store(void)
{
	bool has_folder = command_has(&subject, HOLD_FOLDER);
	int ret;

	if (!has_folder && !command_has(&subject, HOLD_DISK))
		return 0;
	if (has_folder && command_has(&subject, HOLD_DISK))
		return complain("give " HOLD_DISK " or " HOLD_FOLDER ", not both: there is one disk for a store");
	ret = store_begin(&subject, has_folder);
	if (!ret)
		return 0;
	return complain("there is no disk for its store: %s%s", strerror(-ret),
			has_folder ? "; " HOLD_FOLDER " needs root and mkfs.ext4" : "");
}

static int begin(void)
{
	int ret = make_store();

	if (ret)
		return ret;
	if (device_make(&subject.number, &subject.node))
		return 1;
	was_added = true;
	subject.server = server_start(&subject);
	ret = server_await_ready(&subject, subject.server);
	if (ret)
		return complain("%s %s", subject.command[0], ret == -ECHILD ?
				"ended before it served" : "does not serve; does it wait for "
				"requests in the foreground?");
	return subject_open_disk(&subject) ? 1 : 0;
}

/* ---- verdicts ---- */

static void print(const char *name, enum verdict verdict)
{
	static const char *const words[] = { "kept", "BROKEN", "not tried" };

	printf("%-8s %-10s %s\n", name, words[verdict], subject.detail);
	fflush(stdout);
}

/* Its requests would wait for ever. A server that is being replaced is not seen here for two seconds. */
static bool is_deserted(unsigned int seconds)
{
	return seconds >= 2 && subject.server > 0 && server_has_ended(subject.server);
}

/* A request that is never completed keeps its thread: only the device's end frees it. */
static void *watch(void *arg)
{
	unsigned long moves, last = 0;
	unsigned int seconds = 0;

	for (;; sleep(1)) {
		const char *now = __atomic_load_n(&trying, __ATOMIC_RELAXED);

		moves = __atomic_load_n(&subject.moves, __ATOMIC_RELAXED);
		seconds = moves == last ? seconds + 1 : 0;
		last = moves;
		if (is_deserted(seconds))
			abuse_ctl_reset(subject.node);
		if (seconds < PATIENCE * subject.seconds)
			continue;
		say(&subject, BROKEN, "no request was completed for %u s", seconds);
		__atomic_store_n(&is_over, true, __ATOMIC_SEQ_CST);
		print(now ? now : "start", BROKEN);
		drop_all();
		_exit(1);
	}
	return arg;
}

static bool is_wanted(const char *name)
{
	unsigned int i;

	for (i = 0; i < nr_only; i++)
		if (!strcmp(only[i], name))
			return true;
	return !nr_only;
}

static int try_all(void)
{
	const struct promise *promise;
	enum verdict verdict;
	int broken = 0;

	for (promise = promises; promise->name; promise++) {
		if (!is_wanted(promise->name))
			continue;
		__atomic_store_n(&trying, promise->name, __ATOMIC_RELAXED);
		__atomic_add_fetch(&subject.moves, 1, __ATOMIC_RELAXED);
		verdict = promise->try(&subject);
		/* Its requests were freed by the watcher, who ends the program. */
		while (__atomic_load_n(&is_over, __ATOMIC_SEQ_CST))
			pause();
		print(promise->name, verdict);
		broken += verdict == BROKEN;
		if (promise[1].name && (!subject.server || server_has_ended(subject.server))) {
			complain("%s serves no more: the other promises are not tried",
				 subject.command[0]);
			return 1;
		}
	}
	return broken > 0;
}

static int take_number(const char *text, unsigned long least, unsigned long *number)
{
	char *end;

	errno = 0;
	*number = strtoul(text, &end, 10);
	if (*text >= '0' && *text <= '9' && !*end && !errno && *number >= least &&
	    *number <= 1000000)
		return 0;
	complain("%s: must be a number from %lu to 1000000", text, least);
	return 2;
}

static int take_promise(const char *name)
{
	const struct promise *promise;

	for (promise = promises; promise->name && strcmp(promise->name, name); promise++)
		;
	if (promise->name && nr_only < MOST_NAMED) {
		only[nr_only++] = name;
		return 0;
	}
	complain("%s: no such promise; abuse-conform(8) lists them", name);
	return 2;
}

static int take_options(int argc, char **argv)
{
	static const struct option options[] = {
		{ "kills", required_argument, NULL, 'k' }, { "promise", required_argument, NULL, 'p' }, { "seed", required_argument, NULL, 's' },
		{ "timeout", required_argument, NULL, 't' }, { "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' }, { NULL, 0, NULL, 0 },
	};
	unsigned long number;
	int option;

	while ((option = getopt_long(argc, argv, "+k:p:s:t:hV", options, NULL)) >= 0) {
		if (option == 'h' || option == 'V') {
			if (option == 'h')
				help();
			else
				puts("abuse-conform " VERSION);
			return -1;
		}
		if (option == 'p') {
			if (take_promise(optarg))
				return 2;
			continue;
		}
		if (option == '?' || take_number(optarg, option == 't', &number))
			return 2;
		if (option == 'k')
			subject.kills = (unsigned int)number;
		else if (option == 's')
			subject.seed = number;
		else
			subject.seconds = (unsigned int)number;
	}
	return 0;
}

int main(int argc, char **argv)
{
	pthread_t watcher;
	int ret = take_options(argc, argv);

	if (ret)
		return ret < 0 ? 0 : ret;
	if (optind == argc) {
		complain("a COMMAND is needed; abuse-conform --help says more");
		return 2;
	}
	subject.command = argv + optind;
	if (pthread_create(&watcher, NULL, watch, NULL))
		return complain("no thread can be started");
	ret = begin() ?: try_all();
	drop_all();
	return ret;
}
