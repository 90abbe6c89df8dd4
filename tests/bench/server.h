/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * Shared by the servers of the benchmark, so that they differ in nothing but the
 * interface they serve: options, stores, threads, the end upon a signal.
 *
 * A server fills in a struct server, calls server_options(), gets its device,
 * starts a thread a queue with server_start() and waits in server_wait().
 * null touches no byte; mem copies from and to an array; file: preads and pwrites.
 */
#ifndef BENCH_SERVER_H
#define BENCH_SERVER_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define MAX_REQUEST	(1U << 20)	/* bytes, of every device here */
#define MAX_THREADS	64
#define SECTOR_SHIFT	9

enum store { STORE_NULL, STORE_MEM, STORE_FILE };

struct server {
	unsigned int number;	/* -n: of the device */
	unsigned int threads;	/* -t: and hardware queues, one each */
	unsigned int depth;	/* -b: requests held, or asked for, at once */
	uint64_t size;		/* -s: MiB; bytes here */
	uint64_t spin;		/* -S: nanoseconds to look before sleeping */
	int variant;		/* -a, -d, -g or -p, whichever is last: what it means, each server says */
	bool is_batch;		/* -B: likewise */
	int open_flags;		/* of the file; -D: O_DIRECT */
	enum store store;	/* null, mem or file:PATH */
	unsigned char *bytes;
	int file;
};

static inline void __attribute__((noreturn, format(printf, 1, 2)))
die(const char *format, ...)
{
	int saved = errno;
	va_list args;

	fprintf(stderr, "%s: ", program_invocation_short_name);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, ": %s\n", strerror(saved));
	_exit(1);
}

/* Memory that costs nothing until it is touched. */
static inline void *memory(size_t size)
{
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (at == MAP_FAILED)
		die("memory");
	return at;
}

static inline void server_open_store(struct server *srv, const char *name)
{
	if (!strcmp(name, "null")) {
		srv->store = STORE_NULL;
	} else if (!strcmp(name, "mem")) {
		srv->store = STORE_MEM;
		srv->bytes = memory(srv->size);
		memset(srv->bytes, 0, srv->size);
	} else if (!strncmp(name, "file:", 5)) {
		srv->store = STORE_FILE;
		srv->file = open(name + 5, O_RDWR | O_CREAT | O_CLOEXEC | srv->open_flags, 0600);
		if (srv->file < 0 || ftruncate(srv->file, (off_t)srv->size))
			die("%s", name + 5);
	} else {
		errno = EINVAL;
		die("%s: neither null, mem nor file:PATH", name);
	}
}

static inline void server_options(struct server *srv, int argc, char **argv)
{
	int option;

	while ((option = getopt(argc, argv, "n:t:b:s:S:adgpBD")) >= 0) {
		unsigned long value = optarg ? strtoul(optarg, NULL, 0) : 0;

		switch (option) {
		case 'n': srv->number = value; break;
		case 't': srv->threads = value; break;
		case 'b': srv->depth = value; break;
		case 's': srv->size = (uint64_t)value << 20; break;
		case 'S': srv->spin = value; break;
		case 'B': srv->is_batch = true; break;
		case 'D': srv->open_flags |= O_DIRECT; break;
		case 'a': srv->open_flags |= O_DIRECT | O_NONBLOCK; /* fallthrough */
		case 'd':
		case 'g':
		case 'p': srv->variant = option; break;
		default: _exit(2);
		}
	}
	if (optind + 1 != argc || !srv->threads || srv->threads > MAX_THREADS) {
		errno = EINVAL;
		die("[-n NUMBER] [-t THREADS] [-b DEPTH] [-s MIB] [-S SPIN] [-B] [-D] [-a | -d | -g | -p] STORE");
	}
	server_open_store(srv, argv[optind]);
}

/* Each returns 0 or a positive errno. */
static inline int store_read(const struct server *srv, void *to, uint64_t offset, size_t length)
{
	if (srv->store == STORE_NULL)
		return 0;
	if (offset > srv->size || length > srv->size - offset)
		return EIO;
	if (srv->store == STORE_MEM)
		memcpy(to, srv->bytes + offset, length);
	else if (pread(srv->file, to, length, (off_t)offset) != (ssize_t)length)
		return EIO;
	return 0;
}

static inline int store_write(const struct server *srv, const void *from, uint64_t offset,
			      size_t length)
{
	if (srv->store == STORE_NULL)
		return 0;
	if (offset > srv->size || length > srv->size - offset)
		return EIO;
	if (srv->store == STORE_MEM)
		memcpy(srv->bytes + offset, from, length);
	else if (pwrite(srv->file, from, length, (off_t)offset) != (ssize_t)length)
		return EIO;
	return 0;
}

/* Starts the threads; each is told its number, and has a processor where there are as many. */
static inline void server_start(const struct server *srv, void *(*serve)(void *))
{
	long processors = sysconf(_SC_NPROCESSORS_ONLN);
	uintptr_t i;
	pthread_t thread;
	sigset_t set;
	struct sched_param any = { };
	cpu_set_t one;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	/*
	 * Threads take this over: a submitter on the processor of a server goes on until it
	 * has to wait, and not until its first request wakes the server.
	 */
	sched_setscheduler(0, SCHED_BATCH, &any);
	for (i = 0; i < srv->threads; i++) {
		errno = pthread_create(&thread, NULL, serve, (void *)i);
		if (errno)
			die("thread");
		if (srv->threads > 1 && srv->threads == processors) {
			CPU_ZERO(&one);
			CPU_SET(i, &one);
			pthread_setaffinity_np(thread, sizeof(one), &one);
		}
	}
}

/* Says that all is ready, and returns when it is time to go. */
static inline void server_wait(const char *disk)
{
	sigset_t set;
	int number;

	printf("serving %s\n", disk);
	fflush(stdout);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigwait(&set, &number);
}

#endif
