/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * Only the administrator can write a disk that the system trusts: a sealed disk opens for
 * CAP_SYS_ADMIN alone, with any mode of its node, and is not sealed (EBUSY) while
 * another user has it open; root's opens do not matter, and RESET ends it all.
 */
#include "abuse.h"

#define MEMBER	4242

static struct shared {
	struct device d;
	_Atomic bool opened, close_it;
} *s;

static int set_up_sealed(void)
{
	struct abuse_params p = params_of(1 * MIB);
	int fd = server_open(&s->d), ret;

	p.flags = ABUSE_PARAMS_SEALED;
	p.seal_uid = MEMBER;
	ret = set_params(fd, &p);
	close(fd);
	return ret;
}

static int open_disk(void *arg)
{
	int fd = open(s->d.disk, O_RDWR | O_CLOEXEC);

	(void)arg;
	return fd < 0 ? errno : 0;
}

/* Through a descriptor of its own, and one that it gave away. */
static int keep_open(void *arg)
{
	int fd = open(s->d.disk, O_RDWR | O_CLOEXEC), again = dup(fd);

	(void)arg;
	close(fd);
	s->opened = true;
	if (again < 0 || !wait_for(s->close_it))
		return 1;
	close(again);
	return 0;
}

static void reset_it(void)
{
	int fd = server_open(&s->d);

	is(reset(fd), 0, "RESET");
	close(fd);
}

int main(void)
{
	int fd;
	pid_t pid;

	test_begin();
	s = memory_new(sizeof(*s));
	s->d = device_new();
	node_for_all(s->d.disk);
	is(run_as(MEMBER, open_disk, NULL), 0, "a user opens the empty disk");

	fd = disk_open(&s->d, O_RDWR);
	is(set_up_sealed(), 0, "sealed while root has it open");
	node_for_all(s->d.disk);
	is(run_as(MEMBER, open_disk, NULL), EACCES, "not even its server's user opens it");
	is(run_as(0, open_disk, NULL), 0, "root does");
	reset_it();
	close(fd);
	node_for_all(s->d.disk);
	is(run_as(MEMBER, open_disk, NULL), 0, "after RESET the user opens it");

	pid = child_start(run_as_child, &(struct run_as){ MEMBER, keep_open, NULL });
	need(wait_for(s->opened), "a user to have it open");
	is(set_up_sealed(), -EBUSY, "sealed while a user has it open");
	is(attribute_number(&s->d, "trusted"), 0, "trusted");
	set_up(&s->d, 1 * MIB, 0);
	reset_it();
	s->close_it = true;
	is(child_wait(pid), 0, "that user closes it");
	ok(wait_for(!set_up_sealed()), "sealed then");
	reset_it();
	return done();
}
