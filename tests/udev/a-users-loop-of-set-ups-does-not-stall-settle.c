/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * While an ordinary user sets a device up and resets it without a pause, adds and removes
 * devices, changes size or read-only, udev keeps up: `udevadm settle` returns, few events
 * come in a second, and another user's call does not wait. The last set-up is told.
 */
/* timeout: 180 */
#include "abuse.h"

#define HOSTILE		4242
#define OTHER		4343
#define LOOK_SECONDS	10
/* Two calls a second, and what each of them sends: partitions, media, read-only, state. */
#define MOST_A_SECOND	14

static struct shared {
	_Atomic unsigned long calls;
	_Atomic bool over;
	unsigned int number;
} *s;

static int add(void *arg)
{
	struct abuse_add a = { .size = sizeof(a), .number = ABUSE_NUMBER_ANY };

	(void)arg;
	if (device_add(&a))
		return -1;
	s->number = a.number;
	return 0;
}

static int flood(void *arg)
{
	struct device d = device_of(s->number);
	struct abuse_params p;
	int fd;

	(void)arg;
	if (!wait_for((fd = open(d.node, O_RDWR)) >= 0))
		return 1;
	while (!s->over) {
		struct abuse_add a = { .size = sizeof(a), .number = ABUSE_NUMBER_ANY };

		p = params_of(1 * MIB);
		set_params(fd, &p);
		p = params_of(2 * MIB);
		p.flags = ABUSE_PARAMS_READ_ONLY;
		set_params(fd, &p);
		reset(fd);
		if (!device_add(&a))
			device_remove_once(a.number);
		s->calls += 5;
	}
	p = params_of(4 * MIB);
	return set_params(fd, &p) ? 2 : 0;
}

static int one_call(void *arg)
{
	(void)arg;
	return device_get_free() < 0;
}

static long long events(void)
{
	FILE *file = fopen("/sys/kernel/uevent_seqnum", "re");
	long long number = -1;

	need(file && fscanf(file, "%lld", &number) == 1, "the number of events so far");
	fclose(file);
	return number;
}

/* Does udev handle ten events of one disk in a second and a half? In a busy emulator not. */
static bool udev_is_fast(void)
{
	double begun;

	need(!shell("udevadm settle --timeout=%u", stretched(30)), "udev to have nothing to do");
	begun = now();
	need(!shell("for i in 1 2 3 4 5 6 7 8 9 10; do echo change >/sys/block/abuse0/uevent; done; "
		    "udevadm settle --timeout=%u", stretched(30)), "ten events");
	return now() - begun < 1.5;
}

static void settles(bool fast, const char *when)
{
	if (fast)
		is(shell("udevadm settle --timeout=%u", stretched(15)), 0, when);
	else
		printf("# udev is too slow here for: %s\n", when);
}

int main(void)
{
	long long before;
	double begun;
	bool fast;
	pid_t pid;

	test_begin();
	s = memory_new(sizeof(*s));
	node_for_all("/dev/abuse-control");
	is(run_as(HOSTILE, add, NULL), 0, "an ordinary user adds a device");
	fast = udev_is_fast();
	pid = child_start(run_as_child, &(struct run_as){ HOSTILE, flood, NULL });
	/* All calls that may come at once have come. */
	need(wait_for(s->calls >= 15), "a loop of calls");
	settles(fast, "udevadm settle");

	before = events();
	begun = now();
	while (now() - begun < LOOK_SECONDS)
		nap_ms(100);
	ok(events() - before <= MOST_A_SECOND * LOOK_SECONDS, "%lld events in %d s",
	   events() - before, LOOK_SECONDS);
	ok(events() > before, "the loop goes on");
	settles(fast, "udevadm settle, again");
	begun = now();
	is(run_as(OTHER, one_call, NULL), 0, "a call of another user");
	ok(now() - begun < stretched(2), "it took %.2f s", now() - begun);

	s->over = true;
	is(child_wait(pid), 0, "the last set-up");
	settles(fast, "udevadm settle, at last");
	return done();
}
