/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * The trace events of a request come in the order of what happens to it, each with its
 * device and with the id that its server knew: queued, handed out, requeued when that
 * server is killed, handed out anew, answered; or redirected, then answered.
 */
#include "redirect.h"

#define TRACING	"/sys/kernel/tracing"

struct event {
	char name[32];
	unsigned int number, op, bytes, error;
	unsigned long long id, sector;
};

static struct device d;
static struct event events[32];
static unsigned int nr_events;
static uint64_t *id;		/* that the server which is killed was handed */

static void trace(const char *file, const char *text)
{
	need(!shell("echo %s >" TRACING "/%s", text, file), "to write %s to %s", text, file);
}

static void trace_off(void)
{
	if (getpid() == test_main_pid)
		shell("cd " TRACING " && echo 0 >events/abuse/enable && echo local >trace_clock");
}

/* The events of our device, in order; the next call begins with none. */
static void read_events(void)
{
	FILE *file = fopen(TRACING "/trace", "re");
	char line[512], *text;

	need(file, "the trace");
	for (nr_events = 0; nr_events < 32 && fgets(line, sizeof(line), file); ) {
		struct event e = { };

		text = strstr(line, ": abuse_");
		if (!text || sscanf(text, ": abuse_%31[a-z_]: abuse%u id=%llx op=%u sector=%llu bytes=%u",
				    e.name, &e.number, &e.id, &e.op, &e.sector, &e.bytes) < 3)
			continue;
		if (!strcmp(e.name, "answered"))
			sscanf(text, "%*[^=]=%*x error=%u", &e.error);
		if (e.number == d.number)
			events[nr_events++] = e;
		fputs(text + 2, stdout);
	}
	fclose(file);
	trace("trace", "");
}

static void events_are(const char *wanted)
{
	char names[512] = "";

	read_events();
	for (unsigned int i = 0; i < nr_events; i++)
		snprintf(names + strlen(names), sizeof(names) - strlen(names), "%s%s",
			 i ? " " : "", events[i].name);
	must(!strcmp(names, wanted), "events: %s; wanted %s", names, wanted);
}

static int fetch_and_stay(void *arg)
{
	(void)arg;
	*id = fetch_one(server_open(&d), NULL, 0).id;
	pause();
	return 0;
}

int main(void)
{
	struct abuse_request q;
	struct io *io;
	pid_t pid;
	int fd, file;

	test_begin();
	if (access(TRACING "/events", F_OK) &&
	    shell("mount -t tracefs tracefs " TRACING " 2>/dev/null"))
		skip("this kernel does not trace");
	id = memory_new(sizeof(*id));
	d = device_new();
	set_up(&d, 1 * MIB, 0);
	atexit(trace_off);
	/* Processors' own clocks would not tell an order. */
	trace("trace_clock", "counter");
	trace("trace", "");
	trace("events/abuse/enable", "1");

	pid = child_start(fetch_and_stay, NULL);
	io = io_write(&d, 8192, 4096, 1);
	need(wait_for(*id), "a server to have it");
	kill(pid, SIGKILL);
	is(child_wait(pid), 256 + SIGKILL, "the server is killed");
	fd = server_open(&d);
	q = fetch_one(fd, NULL, 0);
	is(reply(fd, q.id, EIO, NULL), 0, "another one answers");
	is(io_end(io), EIO, "the write");
	events_are("queued handed_out requeued handed_out answered");
	for (int i = 0; i < 4; i++)
		ok(events[i].op == ABUSE_OP_WRITE && events[i].sector == 16 &&
		   events[i].bytes == 4096, "%s: what the request is", events[i].name);
	is(events[1].id, *id, "id of the first hand-out");
	is(events[3].id, q.id, "id of the second one");
	is(events[4].id, q.id, "id of the answer");
	is(events[4].error, EIO, "error of the answer");

	file = file_register(fd, file_new("/dev/shm", 1 * MIB, 2, O_RDWR));
	need(file >= 0, "REGISTER_FILE");
	io = io_read(&d, 4096, 512);
	q = fetch_one(fd, NULL, 0);
	is(redirect(fd, q.id, file, 4096), 0, "a redirect");
	is(io_end(io), 0, "the read");
	events_are("queued handed_out redirected answered");
	ok(events[2].op == ABUSE_OP_READ && events[2].sector == 8 && events[2].bytes == 512,
	   "redirected: what the request is");
	is(events[3].error, 0, "error of the answer");
	close(fd);
	return done();
}
