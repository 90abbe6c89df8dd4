/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * A READ that a callback pointed into its store is answered from there, at once, later or
 * from another thread, with memory for data and without; an error or zeroes go before
 * it. A pointer that leads nowhere costs its request an EIO and no other anything.
 */
/* under: thread */
#include "later.h"

#define NR	1995		/* the last of them leads nowhere, and nothing comes after it */

enum { GIVES_NOWHERE, FILLS_DATA, GIVES_LATER, FAILS, GIVES_ZEROES, REDIRECTS, GIVES,
       NR_KINDS };

static char *store, *nowhere;
static bool has_data;
static unsigned int refused;

static void fake_describe(uint64_t id, struct abuse_request *req)
{
	(void)id;
	req->op = ABUSE_OP_READ;
	req->length = 4096;
}

static unsigned int kind_of(uint64_t id)
{
	unsigned int kind = id % NR_KINDS;

	return kind == FILLS_DATA && !has_data ? GIVES : kind;
}

static void point(struct abuse_req *req, const char *at)
{
	if (abuse_req_point(req, at + req->offset))
		__atomic_add_fetch(&refused, 1, __ATOMIC_SEQ_CST);
}

static int do_pread(struct abuse_req *req)
{
	switch (kind_of(fake_id(req))) {
	case GIVES_NOWHERE:
		point(req, nowhere);
		return 0;
	case FILLS_DATA:
		fake_mark(req->data, req->length, fake_id(req));
		return 0;
	case GIVES_LATER:
		return later_leave(req);
	case FAILS:
		point(req, store);
		return -ENODATA;
	case GIVES_ZEROES:
		point(req, store);
		return ABUSE_ZEROES;
	case REDIRECTS:
		abuse_req_redirect(req, 3, req->offset);
		if (fake_id(req) % 2)
			point(req, store);
		return 0;
	}
	point(req, store);
	return 0;
}

static void point_late(struct abuse_req *req)
{
	point(req, store);
}

static void check(void)
{
	unsigned int i, wrong[NR_KINDS] = { };

	for (i = 1; i <= NR; i++) {
		const struct fake_request *req = &fake.requests[i];
		uint64_t at = (uintptr_t)store + i * 4096ULL, address = 0;
		uint32_t result = 0, flags = 0;

		switch (kind_of(i)) {
		case GIVES_NOWHERE:
			result = EIO;
			break;
		case FILLS_DATA:
			if (!req->address || req->address == at)
				wrong[FILLS_DATA]++;
			address = req->address;
			break;
		case FAILS:
			result = ENODATA;
			break;
		case GIVES_ZEROES:
			flags = ABUSE_REPLY_ZERO;
			break;
		case REDIRECTS:
			address = i % 2 ? at : i * 4096ULL;
			flags = i % 2 ? 0 : ABUSE_REPLY_REDIRECT;
			break;
		default:
			address = at;
		}
		wrong[kind_of(i)] += req->result != result || req->address != address ||
				     req->reply_flags != flags || !req->answered;
	}
	is(wrong[GIVES_NOWHERE], 0, "pointed nowhere, and not EIO");
	is(wrong[FILLS_DATA], 0, "in data, and not from there");
	is(wrong[GIVES_LATER], 0, "pointed later, and not from the store");
	is(wrong[FAILS], 0, "failed, and not told so");
	is(wrong[GIVES_ZEROES], 0, "zeroes, and not told so");
	is(wrong[REDIRECTS], 0, "pointed and redirected, and the later did not count");
	is(wrong[GIVES], 0, "pointed, and not from the store");
	is(refused, 0, "pointers refused");
	is(fake.lost, 0, "foreign ids, second answers, wrong bytes");
}

static void serve(unsigned int depth, uint32_t flags)
{
	static const struct abuse_ops ops = { .pread = do_pread };
	struct abuse_config config = { .ops = &ops, .depth = depth, .flags = flags };
	struct abuse_server *srv;

	has_data = !(flags & ABUSE_SERVER_NO_READ_DATA);
	refused = 0;
	fake_begin(NR, 0);
	fake.params.all_features |= ABUSE_F_REDIRECT;
	srv = later_serve(&config, point_late);
	check();
	abuse_server_free(srv);
}

int main(void)
{
	unsigned int i;

	store = store_new(PROT_READ | PROT_WRITE);
	nowhere = store_new(PROT_NONE);
	for (i = 1; i <= NR; i++)
		fake_mark(store + i * 4096, 4096, i);
	must(!mprotect(store, (NR + 1) * 4096, PROT_READ), "the store is only read");
	serve(1, 0);
	serve(64, 0);
	serve(64, ABUSE_SERVER_NO_READ_DATA);
	return done();
}
