/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * 200 sealed and named devices that are added and removed in a burst each get
 * their link by name, and leave no link, node or record of udev behind.
 */
/* timeout: 300 */
#include "abuse.h"

#define N 200

static struct device d[N];
static int fd[N];

/* udev reads what it trusts: zeroes for whoever asks, until all have a link. */
static void serve_zeroes(struct pollfd *p)
{
	struct abuse_request q[16];
	struct abuse_reply a[16];

	poll(p, N, 100);
	for (int i = 0; i < N; i++) {
		int n;

		if (!(p[i].revents & POLLIN))
			continue;
		n = fetch(fd[i], q, 16, NULL, 0, NO_WAIT);
		for (int k = 0; k < n; k++)
			a[k] = (struct abuse_reply){
				.id = q[k].id,
				.flags = q[k].op == ABUSE_OP_READ ? ABUSE_REPLY_ZERO : 0,
			};
		if (n > 0)
			exchange_both(fd[i], a, n, NULL, 0, NULL, 0, NO_WAIT);
	}
}

static int count(const char *what)
{
	FILE *pipe = popen(what, "r");
	int n = -1;

	need(pipe && fscanf(pipe, "%d", &n) == 1, "%s", what);
	pclose(pipe);
	return n;
}

#define LINKS	"find /dev/disk -name 'abuse-burst-*' | wc -l"

int main(void)
{
	struct pollfd p[N];
	int removed = 0, links = 0;
	double end;

	test_begin();
	if (access("/usr/lib/udev/rules.d/60-abuse.rules", F_OK))
		skip("abuse-utils is not installed here");
	for (int i = 0; i < N; i++) {
		struct abuse_add add = {
			.size = sizeof(add), .number = ABUSE_NUMBER_ANY, .depth = 16,
		};
		struct abuse_params params = params_of(1 * MIB);

		snprintf(add.name, sizeof(add.name), "burst-%d", i);
		need(!device_add(&add), "device %d", i);
		d[i] = device_of(add.number);
		need(wait_for(!access(d[i].node, F_OK)), "its node");
		fd[i] = server_open(&d[i]);
		params.flags = ABUSE_PARAMS_SEALED;
		need(!set_params(fd[i], &params), "set-up of device %d", i);
		p[i] = (struct pollfd){ .fd = fd[i], .events = POLLIN };
	}
	end = now() + stretched(200);
	while (links < N && now() < end) {
		for (double look = now() + 2; now() < look; )
			serve_zeroes(p);
		links = count(LINKS);
	}
	is(links, N, "links by name, while all are served");

	for (int i = 0; i < N; i++) {
		need(!reset(fd[i]), "RESET of device %d", i);
		close(fd[i]);
	}
	for (int i = 0; i < N; i++)
		removed += !device_remove(d[i].number);
	is(removed, N, "devices removed");
	need(!shell("udevadm settle --timeout=%u", stretched(60)), "udevadm settle");
	is(count(LINKS), 0, "links that are left");
	is(count("ls /dev | grep -cE '^ab(use|ctl)([89]|[1-9][0-9]+)$' || true"), 0,
	   "nodes that are left");
	is(count("find /run/udev/links /run/udev/data 2>/dev/null -path '*burst-*' | wc -l"), 0,
	   "records of udev that are left");
	return done();
}
