/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * A WRITE for which a callback named a place is stored there by the kernel, whether it
 * is answered at once, later or from another thread; an error goes before it. A
 * place that leads nowhere costs its request an EIO. A write that must be durable when it is
 * answered is refused, and left to the callback.
 */
/* under: thread */
#include "later.h"

#define NR	1995		/* the last of them leads nowhere, and nothing comes after it */

enum { LEADS_NOWHERE, COPIES, NAMES_LATER, FAILS, IS_DURABLE, REDIRECTS, NAMES, NR_KINDS };

static char *store, *nowhere;
static bool has_data;
static unsigned int refused, wrongly_taken, flushed;

static unsigned int kind_of(uint64_t id)
{
	unsigned int kind = id % NR_KINDS;

	return kind == COPIES && !has_data ? NAMES : kind;
}

static void fake_describe(uint64_t id, struct abuse_request *req)
{
	req->op = ABUSE_OP_WRITE;
	req->flags = kind_of(id) == IS_DURABLE ? ABUSE_REQ_FUA : 0;
	req->length = 4096;
}

static void name_place(struct abuse_req *req, char *at)
{
	if (abuse_req_store(req, at + req->offset))
		__atomic_add_fetch(&refused, 1, __ATOMIC_SEQ_CST);
}

static void copy(struct abuse_req *req)
{
	if (has_data)
		memcpy(store + req->offset, req->data, req->length);
	else
		fake_mark(store + req->offset, req->length, fake_id(req));
}

static int do_pwrite(struct abuse_req *req)
{
	switch (kind_of(fake_id(req))) {
	case LEADS_NOWHERE:
		name_place(req, nowhere);
		return 0;
	case COPIES:
		copy(req);
		return 0;
	case NAMES_LATER:
		/* Half of them at once, and the answer later. */
		if (fake_id(req) % 2)
			name_place(req, store);
		return later_leave(req);
	case FAILS:
		name_place(req, store);
		return -ENOSPC;
	case IS_DURABLE:
		if (abuse_req_store(req, store + req->offset) != -EOPNOTSUPP)
			wrongly_taken++;
		copy(req);
		return 0;
	case REDIRECTS:
		if (fake_id(req) % 2)
			name_place(req, store);
		abuse_req_redirect(req, 3, req->offset);
		if (fake_id(req) % 4 == 0)
			name_place(req, store);
		return 0;
	}
	name_place(req, store);
	return 0;
}

static int do_flush(struct abuse_req *req)
{
	(void)req;
	flushed++;
	return 0;
}

static void name_late(struct abuse_req *req)
{
	if (fake_id(req) % 2 == 0)
		name_place(req, store);
}

static void check(void)
{
	unsigned int i, wrong[NR_KINDS] = { };

	for (i = 1; i <= NR; i++) {
		const struct fake_request *req = &fake.requests[i];
		unsigned int kind = kind_of(i);
		uint32_t result = 0, flags = ABUSE_REPLY_STORE;
		bool is_there = true;

		switch (kind) {
		case LEADS_NOWHERE:
		case FAILS:
			result = kind == FAILS ? ENOSPC : EIO;
			is_there = false;
			flags = 0;
			break;
		case COPIES:
		case IS_DURABLE:
			flags = 0;
			break;
		case REDIRECTS:
			if (i % 4 == 0)
				break;
			flags = ABUSE_REPLY_REDIRECT;
			is_there = false;
			break;
		}
		wrong[kind] += req->result != result || req->reply_flags != flags ||
			       !req->answered || is_there !=
			       fake_is_marked(store + i * 4096ULL, 4096, i);
	}
	is(wrong[LEADS_NOWHERE], 0, "a place that leads nowhere, and not EIO");
	is(wrong[COPIES], 0, "copied by the callback, and not there");
	is(wrong[NAMES_LATER], 0, "named later, and not there");
	is(wrong[FAILS], 0, "failed, and stored or not told so");
	is(wrong[IS_DURABLE], 0, "durable, and not there");
	is(wrong[REDIRECTS], 0, "named and redirected, and the later did not count");
	is(wrong[NAMES], 0, "named, and not there");
	is(refused, 0, "places refused");
	is(wrongly_taken, 0, "places taken for what must be durable");
	ok(flushed, "that was flushed");
	is(fake.lost, 0, "foreign ids, second answers, stores the kernel would refuse");
}

static void serve(unsigned int depth, uint32_t flags)
{
	static const struct abuse_ops ops = { .pwrite = do_pwrite, .flush = do_flush };
	struct abuse_config config = { .ops = &ops, .depth = depth, .flags = flags };
	struct abuse_server *srv;

	has_data = !(flags & ABUSE_SERVER_NO_WRITE_DATA);
	refused = wrongly_taken = flushed = 0;
	memset(store, 0, (NR + 1) * 4096);
	fake_begin(NR, ABUSE_F_WRITE_CACHE | ABUSE_F_FUA);
	fake.params.all_features |= ABUSE_F_REDIRECT | ABUSE_F_STORE;
	srv = later_serve(&config, name_late);
	check();
	abuse_server_free(srv);
}

int main(void)
{
	store = store_new(PROT_READ | PROT_WRITE);
	nowhere = store_new(PROT_READ);
	serve(1, 0);
	serve(64, 0);
	serve(64, ABUSE_SERVER_NO_WRITE_DATA);
	return done();
}
