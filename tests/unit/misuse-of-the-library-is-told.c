/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * Calls in the wrong state and bad configurations get an error; a callback that returns
 * nonsense, answers twice or redirects where it cannot costs that one request an EIO.
 * A request that is never completed delays neither wait nor free.
 */
/* under: thread */
#include "fake.h"

#include <sched.h>

static int (*callback)(struct abuse_req *req);
static uint32_t op;
static struct abuse_server *server;
static struct abuse_req *kept;
static int said;

static void fake_describe(uint64_t id, struct abuse_request *req)
{
	(void)id;
	req->op = op;
	req->length = op == ABUSE_OP_FLUSH ? 0 : 4096;
}

static int call(struct abuse_req *req)
{
	if (req->op == ABUSE_OP_READ && req->data)
		fake_mark(req->data, req->length, fake_id(req));
	return callback(req);
}

static const struct abuse_ops ops = {
	.pread = call, .pwrite = call, .trim = call, .zero = call, .flush = call,
};

static int returns_7(struct abuse_req *req)
{
	(void)req;
	return 7;
}

static int returns_zeroes(struct abuse_req *req)
{
	(void)req;
	return ABUSE_ZEROES;
}

static int returns_0(struct abuse_req *req)
{
	(void)req;
	return 0;
}

static int returns_unknown(struct abuse_req *req)
{
	(void)req;
	return -100000;
}

static int keeps(struct abuse_req *req)
{
	__atomic_store_n(&kept, req, __ATOMIC_SEQ_CST);
	return ABUSE_ASYNC;
}

static int is_done_with_junk(struct abuse_req *req)
{
	said = abuse_req_done(req, 9);
	return ABUSE_ASYNC;
}

static int is_done_with_async(struct abuse_req *req)
{
	said = abuse_req_done(req, ABUSE_ASYNC);
	return ABUSE_ASYNC;
}

static int is_done_twice(struct abuse_req *req)
{
	abuse_req_done(req, 0);
	said = abuse_req_done(req, 0);
	return ABUSE_ASYNC;
}

static int is_done_and_returns(struct abuse_req *req)
{
	said = abuse_req_done(req, 0);
	return 0;
}

static int redirects(struct abuse_req *req)
{
	said = abuse_req_redirect(req, 3, 12288);
	return said;
}

static int points_to_null(struct abuse_req *req)
{
	said = abuse_req_point(req, NULL);
	return said;
}

static int points(struct abuse_req *req)
{
	static const char bytes[4096];

	said = abuse_req_point(req, bytes);
	return said;
}

static int points_when_done(struct abuse_req *req)
{
	static const char bytes[4096];

	abuse_req_done(req, 0);
	said = abuse_req_point(req, bytes);
	return ABUSE_ASYNC;
}

static int stores_nowhere(struct abuse_req *req)
{
	said = abuse_req_store(req, NULL);
	return said;
}

static int stores(struct abuse_req *req)
{
	static char place[4096];

	said = abuse_req_store(req, place);
	return said;
}

/* The write itself is done; its flush is what this redirects. */
static int redirects_flush(struct abuse_req *req)
{
	if (!kept) {
		kept = req;
		return 0;
	}
	said = abuse_req_redirect(req, 3, 12288);
	return said;
}

static int waits_for_itself(struct abuse_req *req)
{
	(void)req;
	said = abuse_server_wait(server, -1);
	return 0;
}

static int dispatches_itself(struct abuse_req *req)
{
	(void)req;
	said = abuse_server_dispatch(server, 0);
	return 0;
}

static void open_server(uint32_t of_op, int (*with)(struct abuse_req *), uint32_t flags)
{
	struct abuse_config config = { .ops = &ops, .flags = flags, .fd = fake.node };

	op = of_op;
	callback = with;
	said = 1;
	kept = NULL;
	must(!abuse_server_open(&server, &config), "a server");
}

static void serve_one(uint32_t of_op, int (*with)(struct abuse_req *), uint32_t flags)
{
	open_server(of_op, with, flags);
	must(!abuse_server_start(server), "it starts");
	must(fake_await(&fake.answered, 1), "the request is answered");
	abuse_server_stop(server);
	is(abuse_server_wait(server, -1), 0, "it ends well");
	abuse_server_free(server);
	is(fake.lost, 0, "wrong calls");
}

static void costs_an_error(const char *what, uint32_t of_op,
			   int (*with)(struct abuse_req *), uint32_t flags)
{
	fake_begin(1, ABUSE_F_WRITE_CACHE);
	serve_one(of_op, with, flags);
	is(fake.requests[1].result, EIO, what);
}

static void bad_answers(void)
{
	costs_an_error("7", ABUSE_OP_READ, returns_7, 0);
	costs_an_error("7 of a flush", ABUSE_OP_FLUSH, returns_7, 0);
	costs_an_error("zeroes for a write", ABUSE_OP_WRITE, returns_zeroes, 0);
	costs_an_error("an unknown errno", ABUSE_OP_DISCARD, returns_unknown, 0);
	costs_an_error("an operation nobody knows", 99, returns_0, 0);
	costs_an_error("no bytes", ABUSE_OP_READ, returns_0, ABUSE_SERVER_NO_READ_DATA);
	costs_an_error("done with 9", ABUSE_OP_READ, is_done_with_junk, 0);
	is(said, -EINVAL, "which is told");
	costs_an_error("done with ASYNC", ABUSE_OP_WRITE, is_done_with_async, 0);
	is(said, -EINVAL, "which is told");
	costs_an_error("done and returned", ABUSE_OP_WRITE, is_done_and_returns, 0);
	costs_an_error("a redirect that this kernel cannot", ABUSE_OP_READ, redirects, 0);
	is(said, -EOPNOTSUPP, "which is told");

	costs_an_error("a pointer to nothing", ABUSE_OP_READ, points_to_null, 0);
	is(said, -EINVAL, "which is told");
	costs_an_error("a write that points", ABUSE_OP_WRITE, points, 0);
	is(said, -EOPNOTSUPP, "which is told");
	costs_an_error("a flush that points", ABUSE_OP_FLUSH, points, 0);
	is(said, -EOPNOTSUPP, "which is told");

	costs_an_error("a store that this kernel cannot", ABUSE_OP_WRITE, stores, 0);
	is(said, -EOPNOTSUPP, "which is told");

	fake_begin(1, ABUSE_F_WRITE_CACHE);
	serve_one(ABUSE_OP_READ, points_when_done, 0);
	is(said, -EALREADY, "pointed after it was done");
	is(fake.requests[1].result, 0, "what was done counts");

	fake_begin(1, ABUSE_F_WRITE_CACHE);
	serve_one(ABUSE_OP_WRITE, is_done_twice, 0);
	is(said, -EALREADY, "done twice");
	is(fake.requests[1].result, 0, "the first counts");
}

static void redirect(void)
{
	fake_begin(1, ABUSE_F_WRITE_CACHE);
	open_server(ABUSE_OP_READ, returns_0, 0);
	is(abuse_server_add_file(server, 0), -EOPNOTSUPP, "a file, where the kernel cannot");
	abuse_server_free(server);

	fake_begin(1, ABUSE_F_WRITE_CACHE);
	fake.params.all_features |= ABUSE_F_REDIRECT;
	open_server(ABUSE_OP_READ, returns_0, 0);
	is(abuse_server_add_file(server, 0), 3, "a file");
	abuse_server_free(server);
	serve_one(ABUSE_OP_READ, redirects, ABUSE_SERVER_NO_READ_DATA);
	is(fake.requests[1].reply_flags, ABUSE_REPLY_REDIRECT, "the kernel is told");
	is(fake.requests[1].file, 3, "the file");
	is(fake.requests[1].address, 12288, "and where");

	fake_begin(1, ABUSE_F_WRITE_CACHE);
	fake.params.all_features |= ABUSE_F_REDIRECT;
	serve_one(ABUSE_OP_FLUSH, redirects, 0);
	is(fake.requests[1].reply_flags, ABUSE_REPLY_REDIRECT, "a flush, too");

	/* No write cache: after the write comes a flush, which cannot be redirected. */
	fake_begin(1, 0);
	fake.params.all_features |= ABUSE_F_REDIRECT;
	serve_one(ABUSE_OP_WRITE, redirects_flush, 0);
	is(said, -EOPNOTSUPP, "that of a write not");
	is(fake.requests[1].result, EIO, "so it is not durable");
}

static void serve_store(uint32_t of_op, int (*with)(struct abuse_req *), uint64_t features)
{
	fake_begin(1, features);
	fake.params.all_features |= ABUSE_F_STORE;
	serve_one(of_op, with, 0);
}

static void store(void)
{
	serve_store(ABUSE_OP_WRITE, stores, ABUSE_F_WRITE_CACHE);
	is(fake.requests[1].reply_flags, ABUSE_REPLY_STORE, "the kernel is told to store");
	serve_store(ABUSE_OP_WRITE, stores_nowhere, ABUSE_F_WRITE_CACHE);
	is(said, -EINVAL, "a store in no place");
	serve_store(ABUSE_OP_READ, stores, ABUSE_F_WRITE_CACHE);
	is(said, -EOPNOTSUPP, "a store for a READ");

	/* A flush would come too early. */
	serve_store(ABUSE_OP_WRITE, stores, 0);
	is(said, -EOPNOTSUPP, "a store without a write cache");
	is(fake.requests[1].result, EIO, "what the callback says of it counts");
}

static void bad_config(void)
{
	struct abuse_ops strange = ops;
	struct abuse_config good = { .ops = &ops }, config;

	fake_begin(1, 0);
	good.fd = fake.node;
	strange.reserved[3] = (void (*)(void))abort;
#define REFUSED(field, value) do { \
	config = good; \
	config.field = value; \
	is(abuse_server_open(&server, &config), -EINVAL, #field " " #value); \
	is(server == NULL, true, "no server"); \
} while (0)
	REFUSED(ops, NULL);
	REFUSED(ops, &strange);
	REFUSED(threads, 65);
	REFUSED(depth, 257);
	REFUSED(spin, 1000001);
	REFUSED(flags, 1U << 30);
	REFUSED(stack_size, 4096);
	REFUSED(reserved[6], 1);
	REFUSED(buffer, 1 << 20);
	REFUSED(buffer, 1ULL << 40);
#undef REFUSED
	config = good;
	config.device = "no-such-device";
	is(abuse_server_open(&server, &config), -ENODEV, "no such device");
}

/* Calls do not tell of it: what the kernel is told does. */
static void spin_is(uint64_t given, uint32_t flags, uint64_t wanted)
{
	struct abuse_config config = {
		.ops = &ops, .fd = fake.node, .spin = given, .flags = flags,
	};

	must(!abuse_server_open(&server, &config), "a server with spin %u", (unsigned int)given);
	is(server->queues[0].call.spin, wanted, "looks so long");
	abuse_server_free(server);
}

static void spinning(void)
{
	fake_begin(0, 0);
	spin_is(0, 0, ABUSE_DEFAULT_SPIN);
	spin_is(1000000, 0, 1000000);
	spin_is(0, ABUSE_SERVER_NO_SPIN, 0);
	spin_is(1, ABUSE_SERVER_NO_SPIN, 0);
}

static void setting_up(void)
{
	struct abuse_params params = { .capacity = 1 << 30 };
	struct abuse_config config = { .ops = &ops };

	fake_begin(0, 0);
	config.fd = fake.node;
	fake.params.state = ABUSE_S_EMPTY;
	is(abuse_server_open(&server, &config), -ENXIO, "an empty device, no params");
	config.params = &params;
	must(!abuse_server_open(&server, &config), "with params");
	is(fake.set_up, 1, "it is set up");
	is(fake.params.features, fake.params.all_features, "for what ops can");
	is(abuse_server_number(server), 7, "its number");
	is(abuse_server_ctl(server), fake.node, "its control node");
	abuse_server_free(server);
	must(!abuse_server_open(&server, &config), "taken over");
	is(fake.set_up, 1, "it is not set up again");
	abuse_server_free(server);
	params.capacity = 1 << 20;
	is(abuse_server_open(&server, &config), -EBUSY, "up, of another size");
	params.capacity = 0;

	fake.params.uuid[3] = 7;
	params.uuid[3] = 8;
	is(abuse_server_open(&server, &config), -EBUSY, "up, of another uuid");
	params.uuid[3] = 7;
	must(!abuse_server_open(&server, &config), "up, of that uuid");
	abuse_server_free(server);
	params.flags = ABUSE_PARAMS_SEALED;
	params.seal_uid = 33;
	is(abuse_server_open(&server, &config), -EBUSY, "up, not sealed");
	fake.params.flags = ABUSE_PARAMS_SEALED;
	fake.params.seal_uid = 34;
	is(abuse_server_open(&server, &config), -EBUSY, "up, sealed for another");
	params.seal_uid = 34;
	must(!abuse_server_open(&server, &config), "up, sealed for that user");
	abuse_server_free(server);
	params.queue_limit = 1;
	params.timeout = 1;
	must(!abuse_server_open(&server, &config), "limits that may change may differ");
	is(fake.set_up, 2, "then they change");
	is(fake.params.queue_limit, 1, "queue_limit");
	is(fake.params.timeout, 1, "timeout");
	is(fake.params.flags, ABUSE_PARAMS_SEALED, "flags stay");
	abuse_server_free(server);
	params.timeout = 0;
	must(!abuse_server_open(&server, &config), "once more");
	is(fake.set_up, 2, "without a change");
	abuse_server_free(server);
}

static void wrong_state(void)
{
	fake_begin(0, 0);
	open_server(ABUSE_OP_READ, returns_0, 0);
	is(abuse_server_wait(server, -1), -EINVAL, "wait, nothing runs");
	ok(strstr(abuse_reason(), "abuse_server_start() was not called"), "in words");
	is(abuse_server_fd(server, 1), -EINVAL, "no such loop");
	is(abuse_server_dispatch(server, 1), -EINVAL, "none to dispatch either");
	is(abuse_server_start(server), 0, "start");
	is(abuse_server_start(server), -EALREADY, "start again");
	ok(strstr(abuse_reason(), "was called before"), "in words");
	is(abuse_server_fd(server, 0), -EBUSY, "a loop beside threads");
	is(abuse_server_dispatch(server, 0), -EBUSY, "dispatch beside threads");
	abuse_server_stop(server);
	abuse_server_stop(server);
	is(abuse_server_wait(server, -1), 0, "stopped twice, waited");
	is(abuse_server_wait(server, -1), 0, "waited again");
	is(abuse_server_run(server), -EALREADY, "it does not start again");
	abuse_server_free(server);
	abuse_server_free(NULL);

	open_server(ABUSE_OP_READ, returns_0, 0);
	is(abuse_server_dispatch(server, 0), 0, "dispatch with nothing to do");
	is(abuse_server_start(server), -EBUSY, "threads beside a loop");
	abuse_server_free(server);

	fake_begin(1, 0);
	serve_one(ABUSE_OP_READ, waits_for_itself, 0);
	is(said, -EDEADLK, "wait in a callback");
	fake_begin(1, 0);
	open_server(ABUSE_OP_READ, dispatches_itself, 0);
	is(abuse_server_dispatch(server, 0), 0, "dispatch");
	is(said, -EDEADLK, "dispatch in a callback");
	abuse_server_free(server);
}

static char debugged[64];

static void debug(void *arg, const char *message)
{
	(void)arg;
	snprintf(debugged, sizeof(debugged), "%s", message);
}

static void device_goes(void)
{
	fake_begin(1, 0);
	fake.error = ENXIO;
	open_server(ABUSE_OP_READ, returns_0, 0);
	server->ops.debug = debug;
	is(abuse_server_run(server), -ENXIO, "reset ends threads");
	ok(strstr(debugged, "a thread ends"), "the debug callback is told: %s", debugged);
	ok(strstr(abuse_reason(), "was reset"), "in words");
	abuse_server_free(server);

	open_server(ABUSE_OP_READ, returns_0, 0);
	is(abuse_server_dispatch(server, 0), -ENXIO, "reset is told by dispatch");
	ok(strstr(abuse_reason(), "was reset"), "in words");
	abuse_server_free(server);
}

static void *answer_later(void *arg)
{
	poll(NULL, 0, 200);
	abuse_req_done(kept, -ENOSPC);
	return arg;
}

/* A server one of whose callbacks keeps a request. */
static void keep_one(void)
{
	kept = NULL;
	fake_begin(1, 0);
	open_server(ABUSE_OP_WRITE, keeps, 0);
	must(!abuse_server_start(server), "start");
	while (!__atomic_load_n(&kept, __ATOMIC_SEQ_CST))
		sched_yield();
}

static void stop_while_kept(void)
{
	keep_one();
	abuse_server_stop(server);
	is(abuse_server_wait(server, 30000000), -ETIMEDOUT, "wait for what is not answered");
	ok(strstr(abuse_reason(), "has not completed its request in time"), "in words");
}

static void never_answered(void)
{
	pthread_t answerer;

	stop_while_kept();
	pthread_create(&answerer, NULL, answer_later, NULL);
	is(abuse_server_wait(server, INT64_MAX), 0, "as long as can be: until it is answered");
	pthread_join(answerer, NULL);
	is(fake.requests[1].result, ENOSPC, "with that");
	abuse_server_free(server);

	stop_while_kept();
	is(abuse_req_done(kept, -ENOSPC), 0, "answered after the stop");
	is(abuse_server_wait(server, -1), 0, "now it ends");
	is(fake.requests[1].result, ENOSPC, "and is answered");
	abuse_server_free(server);

	keep_one();
	abuse_server_free(server);
	is(fake.answered, 0, "freed: what was never answered goes back");

	fake_begin(1, 0);
	open_server(ABUSE_OP_WRITE, keeps, 0);
	is(abuse_server_dispatch(server, 0), 0, "dispatch");
	abuse_server_stop(server);
	is(abuse_server_dispatch(server, 0), 0, "stopped, but one is held");
	abuse_server_free(server);
	is(fake.answered, 0, "freed: likewise");

	fake_begin(1, ABUSE_F_WRITE_CACHE);
	open_server(ABUSE_OP_WRITE, keeps, 0);
	is(abuse_server_dispatch(server, 0), 0, "dispatch");
	abuse_server_stop(server);
	is(abuse_server_dispatch(server, 0), 0, "stopped, but one is held");
	is(abuse_req_done(kept, 0), 0, "it is answered");
	is(abuse_server_dispatch(server, 0), -ESHUTDOWN, "and the loop is told to end");
	is(fake.answered, 1, "after the answer was sent");
	abuse_server_free(server);
}

int main(void)
{
	bad_answers();
	redirect();
	store();
	bad_config();
	spinning();
	setting_up();
	wrong_state();
	device_goes();
	never_answered();
	return done();
}
