/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * release is called once for each answer that named memory of the program's, refused ones too, and for no other; what
 * abuse_req_gather() was given may change at once.
 */
/* under: thread */
#include "fake.h"

#define NR	1000

enum { POINTS, GATHERS, FILLS, NR_KINDS };

static char *store;
static unsigned int releases[NR + 1], strange;

static void fake_describe(uint64_t id, struct abuse_request *req)
{
	(void)id;
	req->op = ABUSE_OP_READ;
	req->length = 4096;
}

/* Several threads call this. */
static void expect(bool is_right)
{
	__atomic_add_fetch(&strange, !is_right, __ATOMIC_SEQ_CST);
}

static int do_pread(struct abuse_req *req)
{
	uint64_t id = fake_id(req);
	char half[2][2048] = { { 0 } };
	struct iovec pieces[] = { { half[0], 2048 }, { half[1], 2048 } };

	expect(abuse_req_server(req) == *(struct abuse_server **)req->arg);
	req->priv[0] = (void *)(uintptr_t)id;
	switch (id % NR_KINDS) {
	case POINTS:
		return abuse_req_point(req, store + req->offset);
	case GATHERS:
		memcpy(half[0], &id, sizeof(id));
		memcpy(half[1] + 2048 - sizeof(id), &id, sizeof(id));
		expect(abuse_req_gather(req, pieces, 1) == -EINVAL);
		expect(!abuse_req_gather(req, pieces, 2));
		memset(half, 0xff, sizeof(half));
		return 0;
	}
	fake_mark(req->data, req->length, id);
	return 0;
}

static void release(struct abuse_req *req)
{
	__atomic_add_fetch(&releases[(uintptr_t)req->priv[0]], 1, __ATOMIC_SEQ_CST);
}

int main(void)
{
	struct abuse_ops ops = { .pread = do_pread, .release = release };
	struct abuse_server *server;
	struct abuse_config config = { .ops = &ops, .arg = &server, .threads = 2 };
	unsigned int id, wrong = 0;

	store = malloc((NR + 1) * 4096);
	for (id = 1; id <= NR; id++)
		fake_mark(store + id * 4096, 4096, id);
	fake_begin(NR, 0);
	fake.refuses = true;
	config.fd = fake.node;
	must(!abuse_server_open(&server, &config), "a server");
	is(abuse_server_start(server), 0, "start");
	ok(fake_await(&fake.answered, NR), "all is answered");
	abuse_server_free(server);
	for (id = 1; id <= NR; id++)
		wrong += releases[id] != (id % NR_KINDS == POINTS);
	is(wrong, 0, "answers released never or too often");
	is(strange, 0, "strange results");
	is(fake.lost, 0, "answers that were wrong");
	ok(fake.refused, "some were refused");
	return done();
}
