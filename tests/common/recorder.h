/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * For tests of what reaches a server: one that serves from memory in the test's
 * own thread while a job or I/O is under way and notes each request;
 * asynchronous I/O, whose neighbours the block layer merges; jobs in threads.
 */
#ifndef TESTS_RECORDER_H
#define TESTS_RECORDER_H

#include "abuse.h"
#include <linux/aio_abi.h>
#include <sys/uio.h>

/* ---- a recording server ------------------------------------------------- */

#define RECORDER_MAX	8192

struct recorder {
	struct ram ram;
	unsigned int n;			/* requests seen, in order */
	struct abuse_request seen[RECORDER_MAX];
	bool cold;			/* let every page of our memory fault */
};

/* store is size bytes of the caller's. */
static inline struct recorder *recorder_new(const struct device *d, void *store,
					    uint64_t size)
{
	struct recorder *rec = memory_new(sizeof(*rec));

	rec->ram.fd = server_open(d);
	rec->ram.store = store;
	rec->ram.size = size;
	rec->ram.buffer = memory_new(RAM_BUFFER);
	return rec;
}

static inline void recorder_free(struct recorder *rec)
{
	close(rec->ram.fd);
	munmap(rec->ram.buffer, RAM_BUFFER);
	munmap(rec, sizeof(*rec));
}

/* Takes our page table entries away, not the bytes: the next touch faults. */
static inline void recorder_chill(struct recorder *rec)
{
	if (!rec->cold)
		return;
	madvise(rec->ram.store, rec->ram.size, MADV_DONTNEED);
	madvise(rec->ram.buffer, RAM_BUFFER, MADV_DONTNEED);
}

/* Serves until *done and no request is left; false if that takes too long. */
static inline bool recorder_serve(struct recorder *rec, _Atomic bool *done)
{
	struct abuse_request requests[RAM_BATCH];
	struct abuse_reply replies[RAM_BATCH];
	double end = now() + stretched(DEADLINE_SECONDS);
	int n = 0, got;

	do {
		recorder_chill(rec);
		got = exchange_both(rec->ram.fd, replies, n, requests, RAM_BATCH,
				    rec->ram.buffer, RAM_BUFFER, 2 * MSEC);
		if (got == -EINTR)
			continue;
		errno = got < 0 ? -got : 0;
		need(got >= 0, "exchange");
		for (int i = 0; i < n; i++)
			if (replies[i].status)
				return false;
		for (n = 0; n < got; n++) {
			ram_answer(&rec->ram, &requests[n], &replies[n]);
			if (rec->n < RECORDER_MAX)
				rec->seen[rec->n++] = requests[n];
		}
	} while ((n || !*done) && now() < end);
	return *done;
}

/* How many of that op carried just those of the flags in mask. */
static inline unsigned int recorder_count(const struct recorder *rec,
					  unsigned int op, unsigned int mask,
					  unsigned int flags)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < rec->n; i++)
		n += rec->seen[i].op == op && (rec->seen[i].flags & mask) == flags;
	return n;
}

static inline void recorder_forget(struct recorder *rec)
{
	rec->n = 0;
}

/* Serves while the I/O lasts; what the caller got, -1 if it did not end. */
static inline int recorder_end(struct recorder *rec, struct io *io)
{
	return recorder_serve(rec, &io->done) ? io_end(io) : -1;
}

/* ---- jobs --------------------------------------------------------------------- */

/* Any function, in a thread. */
struct job {
	int (*fn)(void *);
	void *arg;
	pthread_t thread;
	_Atomic pid_t tid;
	int ret;
	_Atomic bool done;
};

static inline void *job_main(void *arg)
{
	struct job *job = arg;

	job->tid = syscall(SYS_gettid);
	job->ret = job->fn(job->arg);
	job->done = true;
	return NULL;
}

static inline void job_start(struct job *job, int (*fn)(void *), void *arg)
{
	memset(job, 0, sizeof(*job));
	job->fn = fn;
	job->arg = arg;
	need(!pthread_create(&job->thread, NULL, job_main, job), "a thread");
}

/* Its value; ends the test if it does not end within the deadline. */
static inline int job_wait(struct job *job, const char *what)
{
	need(wait_for(job->done), "%s to end", what);
	pthread_join(job->thread, NULL);
	return job->ret;
}

/* ---- asynchronous I/O --------------------------------------------------------------- */

#define AIO_MAX		512

/* Many I/Os that one io_submit starts under one plug. */
struct aio {
	aio_context_t ctx;
	int fd;
	unsigned int n;
	struct iocb cb[AIO_MAX];
	struct iocb *list[AIO_MAX];
	long long res[AIO_MAX];
	_Atomic bool done;
};

static inline struct aio *aio_new(const struct device *d)
{
	struct aio *aio = memory_new(sizeof(*aio));

	aio->fd = disk_open(d, O_RDWR | O_DIRECT);
	need(!syscall(SYS_io_setup, AIO_MAX, &aio->ctx), "io_setup");
	return aio;
}

/* opcode is IOCB_CMD_*; for PREADV and PWRITEV n counts iovecs. */
static inline void aio_add(struct aio *aio, int opcode, void *data, size_t n,
			   uint64_t offset, int rw_flags)
{
	struct iocb *cb = &aio->cb[aio->n];

	memset(cb, 0, sizeof(*cb));
	cb->aio_data = aio->n;
	cb->aio_lio_opcode = opcode;
	cb->aio_rw_flags = rw_flags;
	cb->aio_fildes = aio->fd;
	cb->aio_buf = ADDR(data);
	cb->aio_nbytes = n;
	cb->aio_offset = offset;
	aio->list[aio->n++] = cb;
}

static inline int aio_run(void *arg)
{
	struct aio *aio = arg;
	struct io_event events[AIO_MAX];
	long ret, got = 0;

	for (long sent = 0; sent < (long)aio->n; sent += ret) {
		ret = syscall(SYS_io_submit, aio->ctx, aio->n - sent,
			      aio->list + sent);
		if (ret <= 0)
			return errno;
	}
	while (got < (long)aio->n) {
		ret = syscall(SYS_io_getevents, aio->ctx, 1L,
			      (long)aio->n - got, events, NULL);
		if (ret < 0 && errno == EINTR)
			continue;
		if (ret < 0)
			return errno;
		for (long i = 0; i < ret; i++)
			aio->res[events[i].data] = events[i].res;
		got += ret;
	}
	return 0;
}

/* Starts them all in a thread; after job_wait() each result is in res[]. */
static inline void aio_go(struct aio *aio, struct job *job)
{
	job_start(job, aio_run, aio);
}

/* The next ones. */
static inline void aio_again(struct aio *aio)
{
	aio->n = 0;
}

static inline void aio_free(struct aio *aio)
{
	syscall(SYS_io_destroy, aio->ctx);
	close(aio->fd);
	munmap(aio, sizeof(*aio));
}

#endif /* TESTS_RECORDER_H */
