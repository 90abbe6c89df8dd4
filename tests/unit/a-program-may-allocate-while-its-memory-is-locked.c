/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * With any limit of locked memory, a program whose server is open or runs can start threads and allocate;
 * within the limit the library's own buffers are locked, and in a forked child they are locked again.
 */
/* not-under: address,undefined the sanitizer's own memory counts among what may be locked */
#include "fake.h"

#include <sys/resource.h>
#include <sys/wait.h>

#define NOBODY	65534

static void fake_describe(uint64_t id, struct abuse_request *req)
{
	(void)id;
	req->op = ABUSE_OP_READ;
	req->length = 4096;
}

static unsigned int begun, ended;

static void thread_begin(void *arg)
{
	__atomic_add_fetch((unsigned int *)arg, 1, __ATOMIC_SEQ_CST);
}

static void thread_end(void *arg)
{
	(void)arg;
	__atomic_add_fetch(&ended, 1, __ATOMIC_SEQ_CST);
}

/* Uses half of a large stack, as an interpreter might. */
static int do_pread(struct abuse_req *req)
{
	volatile char deep[1 << 20];

	deep[0] = deep[sizeof(deep) - 1] = 1;
	(void)req;
	return deep[0] ? ABUSE_ZEROES : 0;
}

static void *nothing(void *arg)
{
	return arg;
}

static void may_allocate(const char *when)
{
	pthread_t thread;
	void *memory = malloc(32 << 20);
	int ret = pthread_create(&thread, NULL, nothing, NULL);

	ok(memory, "%s: malloc of 32 MiB", when);
	is(ret, 0, "a thread starts");
	if (!ret)
		pthread_join(thread, NULL);
	free(memory);
}

/* Kilobytes that the kernel says are locked. */
static long locked_kib(void)
{
	FILE *status = fopen("/proc/self/status", "r");
	char line[128];
	long kib = -1;

	while (status && fgets(line, sizeof(line), status))
		sscanf(line, "VmLck: %ld", &kib);
	if (status)
		fclose(status);
	return kib;
}

static int serve(const char *when, unsigned int wanted)
{
	struct abuse_ops ops = {
		.pread = do_pread, .thread_begin = thread_begin, .thread_end = thread_end,
	};
	struct abuse_config config = {
		.ops = &ops, .threads = 2, .arg = &begun, .stack_size = 4 << 20,
	};
	struct abuse_server *server;
	unsigned int holds;

	fake_begin(100, 0);
	config.fd = fake.node;
	is(abuse_server_open(&server, &config), 0, when);
	holds = abuse_server_holds(server);
	is(holds & (ABUSE_IS_LOCKED | ABUSE_IS_OWN_LOCKED), wanted, "what is locked");
	ok(!wanted || locked_kib() >= 2 * 2048, "the buffers of two threads are locked: %ld KiB", locked_kib());
	may_allocate("open");
	if (!fork()) {
		is(locked_kib(), 0, "a child has no locks at first");
		is(abuse_server_start(server), 0, "the child serves");
		ok(!wanted || locked_kib() >= 2 * 2048, "and has them again: %ld KiB", locked_kib());
		may_allocate("in the child");
		ok(fake_await(&fake.answered, 100), "all is answered");
		abuse_server_free(server);
		is(__atomic_load_n(&begun, __ATOMIC_SEQ_CST), 2, "threads that were told that they begin");
		is(ended, 2, "and that they end");
		_exit(done());
	}
	int status;

	wait(&status);
	is(status, 0, "the child's checks");
	abuse_server_free(server);
	return done();
}

static bool with_limit(rlim_t bytes, const char *when, unsigned int wanted)
{
	struct rlimit limit = { bytes, bytes };
	int status;

	if (!fork()) {
		if (setrlimit(RLIMIT_MEMLOCK, &limit) || (!geteuid() && setuid(NOBODY)))
			fail("cannot become an ordinary user with a limit");
		_exit(serve(when, wanted));
	}
	wait(&status);
	return ok(!status, "%s", when);
}

int main(void)
{
	with_limit(8 << 20, "limit of 8 MiB", ABUSE_IS_OWN_LOCKED);
	with_limit(1 << 20, "limit of 1 MiB", 0);
	with_limit(0, "no memory may be locked", 0);
	return done();
}
