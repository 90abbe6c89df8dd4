/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * From a sealed set-up on, the control node answers CAP_SYS_ADMIN and the uid named
 * there; every call of another's descriptor is EPERM, of one opened earlier too,
 * and takes no request. RESET ends the seal. Only CAP_SYS_ADMIN seals.
 */
#include "abuse.h"

#define SERVER	4242
#define OTHER	4343

static struct shared {
	struct device d;
	_Atomic int opened;
	_Atomic bool sealed;
	_Atomic int refusals;
	_Atomic bool checked;
	_Atomic bool open_again;
} *s;

#define refused(call) do {						\
	int ret_ = (call);						\
	if (ret_ == -EPERM)						\
		s->refusals++;						\
	else								\
		printf("# %s gave %d\n", #call, ret_);			\
} while (0)
#define CALLS 10

static void call_all(int fd)
{
	struct abuse_info info;
	struct abuse_params p = params_of(0);
	struct abuse_request q;
	struct bio bio;
	struct pollfd pfd = { .fd = fd, .events = POLLIN };

	refused(get_status(fd, &info));
	memset(&info, 0, sizeof(info));
	info.ab_size = 1 * MIB;
	info.ab_blocksize = 512;
	info.ab_max_queue = 8;
	info.ab_flags = ABUSE_FLAGS_RECONNECT;
	refused(set_status(fd, &info));
	refused(set_poll(fd, 1));
	refused(get_bio(fd, &bio));
	refused(put_bio(fd, &bio, ABUSE_RESULT_DEVICE_FAILURE));
	refused(fetch(fd, &q, 1, NULL, 0, NO_WAIT));
	refused(reply(fd, 1 << 16, 0, NULL));
	refused(set_params(fd, &p));
	refused(get_params(fd, &p));
	refused(reset(fd));
	if (poll(&pfd, 1, 0) > 0 && pfd.revents & POLLIN)
		printf("# poll tells of requests: %x\n", pfd.revents);
}

/* An ordinary user who had it open before, and opens it again after. */
static int other(void *arg)
{
	struct abuse_info info;
	int fd = open(s->d.node, O_RDWR), again;

	(void)arg;
	if (fd < 0 || get_status(fd, &info))
		return 1;
	s->opened = 1;
	if (!wait_for(s->sealed))
		return 2;
	call_all(fd);
	again = open(s->d.node, O_RDWR);
	if (again >= 0)
		call_all(again);
	else
		s->refusals += errno == EPERM ? CALLS : 0;
	s->checked = true;
	if (!wait_for(s->open_again))
		return 3;
	return get_status(fd, &info) ? 4 : 0;
}

/* The user that was named serves one read. */
static int server(void *arg)
{
	struct abuse_request q;
	struct abuse_info info;
	char data[4096];
	int fd = open(s->d.node, O_RDWR);

	(void)arg;
	memset(data, 0x77, sizeof(data));
	if (fd < 0 || get_status(fd, &info))
		return 1;
	if (fetch(fd, &q, 1, NULL, 0, DEADLINE_SECONDS * SEC) != 1)
		return 2;
	return reply(fd, q.id, 0, data) ? 3 : 0;
}

/* Ordinary users cannot seal, not even their own. */
static int sealer(void *arg)
{
	struct abuse_add a = { .size = sizeof(a), .number = ABUSE_NUMBER_ANY };
	struct abuse_params p = params_of(1 * MIB);
	struct device d;
	int fd;

	(void)arg;
	if (device_add(&a))
		return 1;
	d = device_of(a.number);
	if (!wait_for((fd = open(d.node, O_RDWR)) >= 0))
		return 2;
	p.flags = ABUSE_PARAMS_SEALED;
	p.seal_uid = SERVER;
	if (set_params(fd, &p) != -EPERM)
		return 3;
	p.flags = 0;
	p.seal_uid = 0;
	if (set_params(fd, &p) || attribute_number(&d, "trusted"))
		return 4;
	return reset(fd) ? 5 : 0;
}

int main(void)
{
	struct abuse_params p = params_of(1 * MIB), q;
	struct io *io;
	pid_t pid;
	int fd;

	test_begin();
	s = memory_new(sizeof(*s));
	s->d = device_new();
	node_for_all(s->d.node);
	node_for_all("/dev/abuse-control");
	fd = server_open(&s->d);
	pid = child_start(run_as_child, &(struct run_as){ OTHER, other, NULL });
	ok(wait_for(s->opened), "another one has it open");
	is(attribute_number(&s->d, "trusted"), 0, "trusted");
	p.flags = ABUSE_PARAMS_SEALED;
	p.seal_uid = SERVER;
	is(set_params(fd, &p), 0, "sealed set-up");
	is(attribute_number(&s->d, "trusted"), 1, "trusted");
	io = io_read(&s->d, 0, 4096);
	ok(wait_for(attribute_number(&s->d, "queued") == 1), "a request waits");
	s->sealed = true;
	ok(wait_for(s->checked), "the other one tries all calls");
	is(s->refusals, 2 * CALLS, "calls that are EPERM");
	is(attribute_number(&s->d, "queued"), 1, "the request still waits");
	ok(!io->done, "and is not ended");
	is(run_as(SERVER, server, NULL), 0, "who was named serves it");
	is(io_wait(io), 0, "the read");
	ok(bytes_are(io->data, 4096, 0x77), "its bytes");
	io_free(io);
	is(get_params(fd, &q), 0, "root's GET_PARAMS");
	is(q.trusted, 1, "trusted");
	is(q.seal_uid, SERVER, "seal_uid");
	ok(q.flags & ABUSE_PARAMS_SEALED, "SEALED");

	/* A seal is for as long as the device is up. */
	q = params_of(0);
	is(set_params(fd, &q), -EBUSY, "the seal cannot be taken off");
	q.flags = ABUSE_PARAMS_SEALED;
	q.seal_uid = OTHER;
	is(set_params(fd, &q), -EBUSY, "nor given to another");
	q.seal_uid = SERVER;
	q.queue_limit = 3;
	is(set_params(fd, &q), 0, "a live change under the seal");
	is(reset(fd), 0, "RESET");
	is(attribute_number(&s->d, "trusted"), 0, "trusted after RESET");
	s->open_again = true;
	is(child_wait(pid), 0, "after RESET the other one's descriptor works again");
	is(run_as(OTHER, sealer, NULL), 0, "only root seals");
	return done();
}
