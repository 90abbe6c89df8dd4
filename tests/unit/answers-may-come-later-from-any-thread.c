/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * Callbacks that leave their requests to other threads: from threads and from an event
 * loop of the program, each is answered once, with the right bytes, while no more are
 * held than the depth says and memory for data is short. The last answer is sent
 * although nothing else happens any more; flushes may be asynchronous, too.
 */
/* under: thread */
#include "fake.h"

#define NR		3000
#define DEPTH		24
#define NR_HELPERS	3

static struct {
	pthread_mutex_t lock;
	pthread_cond_t more;
	struct abuse_req *waiting[1024];
	unsigned int nr;
	bool were_many;		/* more than one thread may hold: helpers begin */
	bool is_over;
} work = { .lock = PTHREAD_MUTEX_INITIALIZER, .more = PTHREAD_COND_INITIALIZER };

static unsigned int flushes, early;

static void fake_describe(uint64_t id, struct abuse_request *req)
{
	static const uint32_t ops[] = {
		ABUSE_OP_READ, ABUSE_OP_WRITE, ABUSE_OP_WRITE, ABUSE_OP_READ,
		ABUSE_OP_FLUSH,
	};

	req->op = ops[id % 5];
	req->flags = id % 10 == 1 ? ABUSE_REQ_FUA : 0;
	req->length = req->op == ABUSE_OP_FLUSH ? 0 :
		      id % 7 ? (id % 4 + 1) * 4096 : ABUSE_MAX_REQUEST;
}

/* Some are answered at once, some before their callback returns, most by others. */
static int leave(struct abuse_req *req)
{
	if (fake_id(req) % 9 == 0)
		return 0;
	if (fake_id(req) % 9 == 1) {
		if (abuse_req_done(req, 0))
			fail("done before the callback returned");
		return ABUSE_ASYNC;
	}
	pthread_mutex_lock(&work.lock);
	work.waiting[work.nr++] = req;
	work.were_many |= work.nr > DEPTH;
	pthread_cond_broadcast(&work.more);
	pthread_mutex_unlock(&work.lock);
	return ABUSE_ASYNC;
}

static int do_pread(struct abuse_req *req)
{
	fake_mark(req->data, req->length, fake_id(req));
	return leave(req);
}

static int do_pwrite(struct abuse_req *req)
{
	return leave(req);
}

static int do_flush(struct abuse_req *req)
{
	__atomic_add_fetch(&flushes, 1, __ATOMIC_SEQ_CST);
	req->priv[0] = &flushes;
	return leave(req);
}

static void finish(struct abuse_req *req)
{
	struct fake_request *of = fake_of(req);

	/* Its data is its own until it is answered. */
	if (req->length && !fake_is_marked(req->data, req->length, fake_id(req)))
		__atomic_add_fetch(&fake.lost, 1, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&of->answered, __ATOMIC_SEQ_CST))
		__atomic_add_fetch(&early, 1, __ATOMIC_SEQ_CST);
	if (abuse_req_done(req, 0))
		__atomic_add_fetch(&fake.lost, 1, __ATOMIC_SEQ_CST);
}

static void *help(void *arg)
{
	unsigned int seed = (unsigned int)(uintptr_t)arg;
	struct abuse_req *req;

	pthread_mutex_lock(&work.lock);
	for (;;) {
		while ((!work.nr || !work.were_many) && !work.is_over)
			pthread_cond_wait(&work.more, &work.lock);
		if (!work.nr)
			break;
		/* Not in order. */
		seed = rand_r(&seed);
		req = work.waiting[seed % work.nr];
		work.waiting[seed % work.nr] = work.waiting[work.nr - 1];
		work.nr--;
		pthread_mutex_unlock(&work.lock);
		if (seed % 16 == 0)
			poll(NULL, 0, 1);
		finish(req);
		pthread_mutex_lock(&work.lock);
	}
	pthread_mutex_unlock(&work.lock);
	return NULL;
}

static void run_loops(struct abuse_server *srv)
{
	struct pollfd polled[2];
	unsigned int i, idle = 0;

	for (i = 0; i < 2; i++)
		polled[i] = (struct pollfd) {
			.fd = abuse_server_fd(srv, i), .events = POLLIN,
		};
	must(polled[0].fd >= 0 && polled[1].fd >= 0, "two descriptors to poll");
	while (__atomic_load_n(&fake.answered, __ATOMIC_SEQ_CST) < NR && idle < 5) {
		if (!poll(polled, 2, 1000 * stretched(20)))
			idle++;
		for (i = 0; i < 2; i++)
			if (polled[i].revents &&
			    abuse_server_dispatch(srv, i))
				fail("dispatch");
	}
	is(idle, 0, "times that the descriptors said nothing");
	abuse_server_stop(srv);
	is(poll(polled, 2, 1000 * stretched(20)), 2, "a stop is seen by both loops");
	is(abuse_server_dispatch(srv, 0), -ESHUTDOWN, "the first has ended");
	is(abuse_server_dispatch(srv, 1), -ESHUTDOWN, "so has the other");
}

static void run_threads(struct abuse_server *srv)
{
	must(!abuse_server_start(srv), "threads start");
	ok(fake_await(&fake.answered, NR), "all is answered, the last ones too");
	abuse_server_stop(srv);
	is(abuse_server_wait(srv, -1), 0, "they end");
}

static void serve(bool loops)
{
	static const struct abuse_ops ops = {
		.pread = do_pread, .pwrite = do_pwrite, .flush = do_flush,
	};
	struct abuse_config config = {
		.ops = &ops, .threads = 2, .depth = DEPTH,
		.buffer = 5 * ABUSE_MAX_REQUEST,
	};
	pthread_t helpers[NR_HELPERS];
	struct abuse_server *srv;
	unsigned int i, wrong = 0;

	work.were_many = work.is_over = false;
	flushes = early = 0;
	fake_begin(NR, ABUSE_F_WRITE_CACHE | ABUSE_F_FUA);
	fake.interrupts = true;
	config.fd = fake.node;
	must(!abuse_server_open(&srv, &config), "a server, %s", loops ? "loops" : "threads");
	for (i = 0; i < NR_HELPERS; i++)
		pthread_create(&helpers[i], NULL, help, (void *)(uintptr_t)(i + 1));
	if (loops)
		run_loops(srv);
	else
		run_threads(srv);
	pthread_mutex_lock(&work.lock);
	work.is_over = true;
	pthread_cond_broadcast(&work.more);
	pthread_mutex_unlock(&work.lock);
	for (i = 0; i < NR_HELPERS; i++)
		pthread_join(helpers[i], NULL);
	abuse_server_free(srv);

	for (i = 1; i <= NR; i++)
		wrong += !fake.requests[i].answered || fake.requests[i].result;
	is(wrong, 0, "requests not answered, or with an error");
	is(fake.lost, 0, "second answers, wrong bytes");
	is(early, 0, "answered before they were done");
	ok(fake.most_held <= 2 * DEPTH, "at most %u were held", fake.most_held);
	ok(fake.most_held > DEPTH, "by both together, many at once");
	ok(flushes && flushes < NR / 5 + NR / 10, "flushes are shared: %u", flushes);
}

int main(void)
{
	serve(false);
	serve(true);
	return done();
}
