/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * A server whose memory never comes (userfaultfd) is stuck in the copy of a READ
 * reply, of a WRITE's payload, of a STORE or of PUT_BIO, by itself: meanwhile RESET and the time-out
 * end the I/O, REMOVE says EBUSY and then works, closing returns, the process can be
 * killed, and what it had goes to another server. The late copy has no effect.
 */
/* timeout: 150 */
#include "recorder.h"
#include <linux/userfaultfd.h>

#define SIZE	(2 * MIB)

enum kind { REPLY, PAYLOAD, STORE, PUT };
enum event { RESETS, REMOVES, TIMES_OUT, CLOSES, KILLS };
static const char *const kinds[] = { "READ reply", "WRITE payload", "STORE", "PUT_BIO" };
static const char *const events[] = { "RESET", "REMOVE", "time-out", "close", "kill" };

/* Shared by the test and the server process. */
struct victim {
	struct device d;
	enum kind kind;
	_Atomic bool stuck;		/* the fault is there and nobody serves it */
	_Atomic bool close_it, closed;
	_Atomic bool mend_it;
	_Atomic bool returned;
	_Atomic int ret;
};

struct trap {
	int uffd;
	char *memory;
};

static int fd;
static struct trap trap;

static void trap_set(void)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_MISSING };

	trap.uffd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	need(trap.uffd >= 0 && !ioctl(trap.uffd, UFFDIO_API, &api), "userfaultfd");
	trap.memory = mmap(NULL, SIZE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	madvise(trap.memory, SIZE, MADV_NOHUGEPAGE);
	reg.range.start = ADDR(trap.memory);
	reg.range.len = SIZE;
	need(!ioctl(trap.uffd, UFFDIO_REGISTER, &reg), "UFFDIO_REGISTER");
}

static void trap_mend(void)
{
	struct uffdio_zeropage zero = { .range = { ADDR(trap.memory), SIZE } };

	need(!ioctl(trap.uffd, UFFDIO_ZEROPAGE, &zero), "UFFDIO_ZEROPAGE");
}

/* The call that gets stuck; 0, a status or -errno, -2000 - n for n requests. */
static int get_stuck(void *arg)
{
	struct victim *v = arg;
	struct abuse_request q;
	struct bio bio;
	int n;

	switch (v->kind) {
	case REPLY:
		q = fetch_one(fd, NULL, 0);
		v->ret = reply(fd, q.id, 0, trap.memory);
		break;
	case PAYLOAD:
		need(wait_for(attribute_number(&v->d, "queued") == 1), "a request");
		n = fetch(fd, &q, 1, trap.memory, SIZE, NO_WAIT);
		v->ret = n < 0 ? n : -2000 - n;
		break;
	case STORE:
		q = fetch_one(fd, NULL, 0);
		v->ret = reply_with(fd, q.id, 0, ABUSE_REPLY_STORE, trap.memory);
		break;
	case PUT:
		get_bio_wait(fd, &bio);
		bio_point(&bio, trap.memory);
		v->ret = put_bio(fd, &bio, 0);
		break;
	}
	v->returned = true;
	return 0;
}

static int victim_main(void *arg)
{
	struct victim *v = arg;
	struct pollfd p;
	struct job job;

	close_all_above_2();
	trap_set();
	fd = open(v->d.node, O_RDWR | O_CLOEXEC);
	need(fd >= 0, "open %s", v->d.node);
	job_start(&job, get_stuck, v);
	p = (struct pollfd){ .fd = trap.uffd, .events = POLLIN };
	need(poll(&p, 1, 1000 * DEADLINE_SECONDS) == 1, "the fault");
	v->stuck = true;
	for (;;) {
		if (v->close_it && !v->closed) {
			close(fd);
			v->closed = true;
		}
		if (v->mend_it) {
			trap_mend();
			job_wait(&job, "the stuck call");
			/* Nor does a late STORE store anything. */
			return v->kind == STORE && !bytes_are(trap.memory, SIZE, 0);
		}
		nap_ms(2);
	}
}

static struct abuse_params params;
static int other;

static int do_reset(void *arg)
{
	(void)arg;
	return reset(other);
}

static int do_remove(void *arg)
{
	return device_remove_once((uintptr_t)arg);
}

/* Another server answers what is there. */
static void serve_rest(struct io *io, char *data)
{
	struct abuse_request q = fetch_one(other, data, SIZE);

	if (q.op == ABUSE_OP_WRITE)
		ok(pattern_is(data + q.offset, 4096, 7), "the other server gets it, with its bytes");
	else
		pattern_fill(data, 4096, 9);
	is(reply(other, q.id, 0, data), 0, "it answers");
	is(io_wait(io), 0, "the I/O");
	if (io->op == IO_READ)
		ok(pattern_is(io->data, 4096, 9), "it gives that server's bytes");
}

/* The copy goes on at last, too late. */
static void mend(struct victim *v, pid_t pid, bool is_gone)
{
	v->mend_it = true;
	is(child_wait(pid), 0, "the server goes on");
	if (v->kind == REPLY || v->kind == STORE)
		is(v->ret, ESTALE, "its reply is stale");
	else if (v->kind == PAYLOAD)
		ok(v->ret == -2000 || v->ret == -ENXIO || (is_gone && v->ret == -ENODEV),
		   "it is handed nothing (%d)", v->ret);
	else
		ok(v->ret == -ENOMSG || (is_gone && v->ret == -ENODEV),
		   "there is no such request for PUT_BIO (%d)", v->ret);
}

static void try(enum kind kind, enum event event)
{
	struct victim *v = memory_new(sizeof(*v));
	char *data = memory_new(SIZE);
	struct abuse_request q;
	struct job job;
	struct io *io;
	bool writes;
	pid_t pid;

	printf("# %s, %s\n", kinds[kind], events[event]);
	v->kind = kind;
	v->d = device_new();
	params = params_of(SIZE);
	set_up_as(&v->d, &params);
	other = server_open(&v->d);
	writes = kind == PAYLOAD || kind == STORE;
	io = io_prepare(&v->d, writes ? IO_WRITE : IO_READ, 8192, 4096);
	pattern_fill(io->data, 4096, writes ? 7 : 0);
	pid = child_start(victim_main, v);
	io_go_child(io);
	need(wait_for(v->stuck), "the copy to be stuck");
	ok(!io->done && !v->returned, "the copy is stuck");
	if (kind == PUT)
		is(attribute_number(&v->d, "queued"), 1, "the request is back in the queue");
	else
		is(fetch(other, &q, 1, data, SIZE, NO_WAIT), 0, "nobody else gets it");

	switch (event) {
	case REMOVES:
		job_start(&job, do_remove, (void *)(uintptr_t)v->d.number);
		is(job_wait(&job, "REMOVE"), -EBUSY, "REMOVE while the disk is open");
		/* fall through */
	case RESETS:
		job_start(&job, do_reset, NULL);
		is(job_wait(&job, "RESET"), 0, "RESET");
		is(io_wait(io), EIO, "the I/O ends");
		ok(!v->returned, "the copy is stuck still");
		if (event == REMOVES) {
			is(device_remove(v->d.number), 0, "REMOVE then");
			ok(access(v->d.node, F_OK), "its node is gone");
		} else {
			is(set_params(other, &params), 0, "set-up again");
		}
		mend(v, pid, event == REMOVES);
		break;
	case TIMES_OUT:
		params.timeout = 100 * MSEC;
		is(set_params(other, &params), 0, "a time-out");
		is(io_wait(io), EIO, "the I/O ends");
		ok(!v->returned, "the copy is stuck still");
		mend(v, pid, false);
		break;
	case CLOSES:
		v->close_it = true;
		ok(wait_for(v->closed), "close returns");
		/* fall through */
	case KILLS:
		kill(pid, SIGKILL);
		is(child_wait(pid), 256 + SIGKILL, "the server can be killed");
		serve_rest(io, data);
		break;
	}
	io_free(io);
	close(other);
	if (event != REMOVES)
		is(device_remove(v->d.number), 0, "REMOVE");
	munmap(data, SIZE);
}

/* Not held, so another server may answer it under the stuck one's nose. */
static void put_is_overtaken(void)
{
	struct victim *v = memory_new(sizeof(*v));
	char *data = memory_new(SIZE);
	struct io *io;
	pid_t pid;

	printf("# PUT_BIO, answered by another server\n");
	v->kind = PUT;
	v->d = device_new();
	set_up(&v->d, SIZE, 0);
	other = server_open(&v->d);
	io = io_prepare(&v->d, IO_READ, 8192, 4096);
	pid = child_start(victim_main, v);
	io_go_child(io);
	need(wait_for(v->stuck), "the copy to be stuck");
	serve_rest(io, data);
	io_free(io);
	v->mend_it = true;
	is(child_wait(pid), 0, "the stuck server goes on");
	is(v->ret, -ENOMSG, "its PUT_BIO");
	close(other);
	is(device_remove(v->d.number), 0, "REMOVE");
}

int main(void)
{
	int uffd;

	test_begin();
	uffd = syscall(SYS_userfaultfd, O_CLOEXEC);
	if (uffd < 0)
		skip("no userfaultfd here: %s", strerror(errno));
	close(uffd);
	for (enum kind kind = REPLY; kind <= PUT; kind++)
		for (enum event event = RESETS; event <= KILLS; event++)
			try(kind, event);
	put_is_overtaken();
	return done();
}
