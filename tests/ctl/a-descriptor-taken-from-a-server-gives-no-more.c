/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * Descriptors that are taken out of a server, by pidfd_getfd(2), ptrace(2) or /proc: another
 * user gets none; a process of the same user gets one, and may do no more with it than with
 * one that it opens itself, and completes nothing that the server holds. A descriptor that
 * outlives a seal for somebody else is of no use, whoever has it.
 */
#include <sys/prctl.h>
#include <sys/ptrace.h>

#include "redirect.h"

#define USER	4242
#define OTHER	4343
#define SIZE	(1 * MIB)
#define AT	(512 * KIB)	/* the request that the server holds */

#ifndef SYS_pidfd_open
#define SYS_pidfd_open	434
#endif
#ifndef SYS_pidfd_getfd
#define SYS_pidfd_getfd	438
#endif

static struct {
	struct device d;
	pid_t server;
	_Atomic int fd;			/* of the server */
	_Atomic bool is_sealed_anew, is_over;
	struct abuse_request held;
} *s;

static struct device users_new(void)
{
	struct abuse_add add = {
		.size = sizeof(add), .number = ABUSE_NUMBER_ANY, .flags = ABUSE_ADD_OWNER,
		.owner = USER,
	};
	struct device d;

	need(!device_add(&add), "a user's device");
	d = device_of(add.number);
	need(wait_for(!access(d.node, F_OK) && !access(d.disk, F_OK)), "its nodes");
	return d;
}

static void seal_for(uid_t uid)
{
	struct abuse_params p = params_of(SIZE);

	p.flags = ABUSE_PARAMS_SEALED;
	p.seal_uid = uid;
	set_up_as(&s->d, &p);
}

/* ---- the server: holds one request, and completes it at last ------------------------------ */

static int server(void *unused)
{
	char *page = memory_new(4096);
	int fd;

	(void)unused;
	close_all_above_2();
	/* As one that exec(2) started is. */
	need(!prctl(PR_SET_DUMPABLE, 1), "to be dumpable");
	fd = server_open(&s->d);
	/* Reads of a sealed disk's partitions come, too. */
	while ((s->held = fetch_one(fd, NULL, 0)).sector != AT / 512)
		reply_with(fd, s->held.id, 0, ABUSE_REPLY_ZERO, NULL);
	s->fd = fd;
	need(wait_for(s->is_over), "the others");
	pattern_fill(page, 4096, 7);
	return s->is_sealed_anew ? 0 : reply(fd, s->held.id, 0, page);
}

/* ---- those who take it -------------------------------------------------------------------- */

static int take(void)
{
	int pidfd = syscall(SYS_pidfd_open, s->server, 0), fd;

	need(pidfd >= 0, "pidfd_open");
	fd = syscall(SYS_pidfd_getfd, pidfd, s->fd, 0);
	close(pidfd);
	return fd;
}

/* By its link in /proc: that opens the node anew. */
static int open_by_proc(void)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)s->server, s->fd);
	return open(path, O_RDWR | O_CLOEXEC);
}

static int another_user(void *unused)
{
	(void)unused;
	need(!prctl(PR_SET_DUMPABLE, 1), "to be dumpable");
	fails_with(take(), EPERM);
	fails_with(open_by_proc(), EACCES);
	fails_with(ptrace(PTRACE_SEIZE, s->server, NULL, NULL), EPERM);
	return done();
}

/* Calls that are root's, or the holder's. */
static void is_no_more(int fd, bool is_users)
{
	struct abuse_params p = params_of(0);
	struct abuse_request q;

	is(get_params(fd, &p), 0, "GET_PARAMS");
	is(fetch(fd, &q, 1, NULL, 0, NO_WAIT), -EBUSY, "EXCHANGE, as the server is another process");
	is(reply(fd, s->held.id, 0, &q), -EBUSY, "the same with a reply");
	if (!is_users)
		return;
	is(file_register(fd, open("/etc/passwd", O_RDONLY | O_CLOEXEC)), -EPERM, "REGISTER_FILE");
	p = params_of(0);
	p.timeout = FOR_EVER;
	is(set_params(fd, &p), -EPERM, "no time-out");
}

static int same_user(void *is_users)
{
	int fd, own;

	need(!prctl(PR_SET_DUMPABLE, 1), "to be dumpable");
	fd = take();
	need(fd >= 0, "pidfd_getfd in the same user's process");
	is_no_more(fd, is_users);
	own = open_by_proc();
	need(own >= 0, "to open the node by /proc");
	/* Opened anew: another descriptor, which holds nothing. */
	is(reply(own, s->held.id, 0, &own), ESTALE, "a reply to what the server holds");
	close(own);
	close(fd);
	return done();
}

static int user_after_a_new_seal(void *unused)
{
	struct abuse_request q;
	struct abuse_info info;
	int fd;

	(void)unused;
	need(!prctl(PR_SET_DUMPABLE, 1), "to be dumpable");
	fd = take();
	need(fd >= 0, "pidfd_getfd");
	is(get_status(fd, &info), -EPERM, "GET_STATUS");
	is(fetch(fd, &q, 1, NULL, 0, NO_WAIT), -EPERM, "EXCHANGE");
	is(reset(fd), -EPERM, "RESET");
	fails_with(open_by_proc(), EPERM);
	return done();
}

/* Root's own process takes it: it stays what the user opened. */
static void root_takes_it(void)
{
	struct abuse_info info;
	int fd = take();

	need(fd >= 0, "pidfd_getfd as root");
	is(get_status(fd, &info), -EPERM, "GET_STATUS of the user's descriptor in root's process");
	close(fd);
}

static void runs(bool is_users)
{
	struct io *io;

	s->fd = -1;
	s->is_over = s->is_sealed_anew = false;
	node_for_all(s->d.node);
	s->server = child_start(run_as_child, &(struct run_as){ USER, server, NULL });
	io = io_read(&s->d, AT, 4096);
	need(wait_for(s->fd >= 0), "the server to hold a request");
	is(run_as(OTHER, another_user, NULL), 0, "another user");
	is(run_as(USER, same_user, is_users ? s : NULL), 0, "the same user");
	ok(!io->done, "the request is held still");
	s->is_over = true;
	is(child_wait(s->server), 0, "the server completes it");
	is(io_wait(io), 0, "the read");
	ok(pattern_is(io->data, 4096, 7), "has the server's bytes");
	io_free(io);
}

int main(void)
{
	int ctl;

	test_begin();
	s = memory_new(sizeof(*s));
	shell("! test -e /proc/sys/kernel/yama/ptrace_scope || sysctl -qw kernel.yama.ptrace_scope=0");
	if (syscall(SYS_pidfd_getfd, -1, 0, 0) && errno == ENOSYS)
		skip("no pidfd_getfd in this kernel");

	puts("# a user's device");
	s->d = users_new();
	set_up(&s->d, SIZE, 0);
	device_admit(&s->d);
	runs(true);

	puts("# one that is sealed for that user");
	s->d = device_new();
	seal_for(USER);
	runs(false);

	puts("# and then for another");
	s->fd = -1;
	s->is_over = false;
	s->is_sealed_anew = true;
	s->server = child_start(run_as_child, &(struct run_as){ USER, server, NULL });
	io_read(&s->d, AT, 4096);
	need(wait_for(s->fd >= 0), "the server to hold a request");
	ctl = server_open(&s->d);
	is(reset(ctl), 0, "RESET");
	seal_for(OTHER);
	is(run_as(USER, user_after_a_new_seal, NULL), 0, "the former user");
	root_takes_it();
	s->is_over = true;
	is(child_wait(s->server), 0, "the server ends");
	is(reset(ctl), 0, "RESET");
	close(ctl);
	return done();
}
