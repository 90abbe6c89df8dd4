/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * However early a server asks for requests, the change event that says "up" comes
 * before the one that says "ready".
 */
#include "abuse.h"
#include <linux/netlink.h>
#include <sys/socket.h>

#define ROUNDS	60

static struct device d;
static _Atomic bool stop;

/* On another processor: one descriptor for each set-up, as early as it can. */
static void *serve(void *unused)
{
	struct abuse_request q;

	need(!pin(1), "a processor");
	while (!stop) {
		int fd = server_open(&d);

		while (!stop && fetch(fd, &q, 1, NULL, 0, NO_WAIT) >= 0)
			;
		close(fd);
	}
	return unused;
}

static int listen_for_events(void)
{
	struct sockaddr_nl address = { .nl_family = AF_NETLINK, .nl_groups = 1 };
	int size = 1 << 20;
	int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_KOBJECT_UEVENT);

	need(fd >= 0 && !bind(fd, (void *)&address, sizeof(address)),
	     "the kernel's events");
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	return fd;
}

/* The next ABUSE_STATE of our disk; the test ends if none comes. */
static void next_state(int events, char *state, size_t size)
{
	char text[8192], path[32];
	struct pollfd poll_fd = { .fd = events, .events = POLLIN };

	snprintf(path, sizeof(path), "/abuse%u", d.number);
	for (;;) {
		ssize_t n;
		const char *word, *found = NULL;

		need(poll(&poll_fd, 1, DEADLINE_SECONDS * 1000) == 1, "an event");
		n = recv(events, text, sizeof(text) - 1, 0);
		need(n > 0, "an event to read");
		text[n] = 0;
		word = strrchr(text, '/');
		if (!word || strcmp(word, path))
			continue;
		for (word = text; word < text + n; word += strlen(word) + 1)
			if (!strncmp(word, "ABUSE_STATE=", 12))
				found = word + 12;
		if (!found)
			continue;
		snprintf(state, size, "%s", found);
		return;
	}
}

int main(void)
{
	struct abuse_params p = params_of(1 * MIB);
	unsigned int wrong = 0;
	pthread_t thread;
	char first[16], second[16];
	int fd, events;

	test_begin();
	d = device_new();
	fd = server_open(&d);
	need(!pin(0), "a processor");
	events = listen_for_events();
	need(!pthread_create(&thread, NULL, serve, NULL), "a thread");
	for (int i = 0; i < ROUNDS; i++) {
		need(wait_for(set_params(fd, &p) != -EBUSY), "SET_PARAMS");
		next_state(events, first, sizeof(first));
		next_state(events, second, sizeof(second));
		if (strcmp(first, "up") || strcmp(second, "ready")) {
			wrong++;
			printf("# %s, then %s\n", first, second);
		}
		need(!reset(fd), "RESET");
		do
			next_state(events, first, sizeof(first));
		while (strcmp(first, "empty"));
	}
	stop = true;
	pthread_join(thread, NULL);
	is(wrong, 0, "set-ups whose events came in another order");
	return done();
}
