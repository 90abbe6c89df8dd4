/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * The library's threads against a kernel played by fake.h: each request is
 * answered exactly once and with an allowed result, whatever EINTR, refused
 * replies, failing callbacks and late flushes come between; a write that must
 * be durable is answered only after flush.
 */
/* under: thread memcheck */
#include "fake.h"

#define NR	2000
#define ALL_OPS	(ABUSE_F_DISCARD | ABUSE_F_WRITE_ZEROES)

static bool has_cache;

static void fake_describe(uint64_t id, struct abuse_request *req)
{
	static const uint32_t ops[] = {
		ABUSE_OP_READ, ABUSE_OP_WRITE, ABUSE_OP_FLUSH, ABUSE_OP_DISCARD,
		ABUSE_OP_WRITE_ZEROES, ABUSE_OP_WRITE,
	};

	req->op = ops[id % 6];
	req->flags = id % 12 == 0 ? ABUSE_REQ_FUA : 0;
	req->length = req->op == ABUSE_OP_FLUSH ? 0 : (id % 5 + 1) * 65536;
}

static int read_result(uint64_t id)
{
	return id % 11 ? 0 : id % 4 == 1 ? ABUSE_ZEROES : -EPERM;
}

static int do_pread(struct abuse_req *req)
{
	memset(req->data, 1, req->length);	/* faults if it is not room for that */
	fake_mark(req->data, req->length, fake_id(req));
	return read_result(fake_id(req));
}

static int do_pwrite(struct abuse_req *req)
{
	if (!fake_is_marked(req->data, req->length, fake_id(req)))
		fake.lost++;
	fake_of(req)->written = true;
	return fake_id(req) % 13 ? 0 : -EDQUOT;
}

static int do_trim(struct abuse_req *req)
{
	return fake_id(req) % 3 ? 0 : -EOPNOTSUPP;
}

static int do_flush(struct abuse_req *req)
{
	unsigned int i;

	(void)req;
	for (i = 1; i <= fake.handed; i++) {
		struct fake_request *of = &fake.requests[i];

		if (of->written || of->op == ABUSE_OP_FLUSH) {
			if (of->answered && !of->flushed && !of->result &&
			    (!has_cache || of->flags & ABUSE_REQ_FUA))
				fake.lost++;
			of->flushed = true;
		}
	}
	return 0;
}

static void check_results(void)
{
	unsigned int i, wrong = 0, missing = 0, early = 0;

	for (i = 1; i <= NR; i++) {
		const struct fake_request *req = &fake.requests[i];
		uint32_t result = req->result;

		missing += !req->answered;
		if (req->op == ABUSE_OP_WRITE)
			wrong += result != (i % 13 ? 0 : ENOSPC);
		if (req->op == ABUSE_OP_DISCARD)
			wrong += result != (i % 3 ? 0 : EOPNOTSUPP);
		if (req->op == ABUSE_OP_WRITE_ZEROES)
			wrong += result != EOPNOTSUPP;
		if (req->op == ABUSE_OP_READ)
			wrong += result != (read_result(i) < 0 ||
					    (!read_result(i) && i % 5 == 0) ? EIO : 0);
		if (req->op == ABUSE_OP_WRITE && !result &&
		    (!has_cache || req->flags & ABUSE_REQ_FUA))
			early += !req->flushed;
	}
	is(fake.handed, NR, "requests handed out");
	is(missing, 0, "requests that were not answered");
	is(wrong, 0, "requests with a wrong result");
	is(early, 0, "durable writes that were never flushed");
	is(fake.lost, 0, "foreign ids, second answers, wrong bytes, answers before flush");
}

static void serve(unsigned int depth, bool cache)
{
	static const struct abuse_ops ops = {
		.pread = do_pread, .pwrite = do_pwrite, .trim = do_trim,
		.flush = do_flush,
	};
	struct abuse_counts counts;
	struct abuse_config config = { .ops = &ops, .depth = depth };
	struct abuse_server *srv;

	has_cache = cache;
	fake_begin(NR, ALL_OPS | (cache ? ABUSE_F_WRITE_CACHE | ABUSE_F_FUA : 0));
	fake.refuses = fake.interrupts = true;
	config.fd = fake.node;
	must(!abuse_server_open(&srv, &config), "a server of depth %u, %s", depth,
	     cache ? "write cache" : "write through");
	must(!abuse_server_start(srv), "it starts");
	ok(fake_await(&fake.answered, NR), "all is answered");
	abuse_server_stop(srv);
	is(abuse_server_wait(srv, -1), 0, "it ends");
	check_results();
	abuse_server_counts(srv, &counts);
	is(counts.ops[ABUSE_OP_WRITE], (NR + 1) / 3, "writes counted");
	ok(fake.refused && fake.interrupted, "%u replies were refused, %u calls interrupted",
	   fake.refused, fake.interrupted);
	ok(fake.most_held <= 2 * depth, "no more than %u were held", 2 * depth);
	abuse_server_free(srv);
}

int main(void)
{
	serve(1, true);
	serve(16, true);
	serve(256, true);
	serve(16, false);
	return done();
}
