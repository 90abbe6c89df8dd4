/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * Each attribute below /sys/class/abuse/abctlN shows what is: state, owner,
 * readiness, limits; queued, held, served, errors, returned and the age of the
 * oldest; all are read-only and the disk is a child of the device there.
 */
#include "abuse.h"

static struct device d;

static void all_are(int queued, int held, int served, int errors, int returned)
{
	is(attribute_number(&d, "queued"), queued, "queued");
	is(attribute_number(&d, "held"), held, "held");
	is(attribute_number(&d, "served"), served, "served");
	is(attribute_number(&d, "errors"), errors, "errors");
	is(attribute_number(&d, "returned"), returned, "returned");
}

int main(void)
{
	static const char *const names[] = {
		"state", "owner", "trusted", "ready", "claimed", "read_only", "name", "uuid",
		"queue_limit", "hw_queues", "depth", "queued", "held", "served",
		"errors", "returned", "oldest_ms",
	};
	struct abuse_request q, r;
	struct io *io, *jo;
	char *data = memory_new(4096), path[128];
	struct stat st;
	int fd, other;

	test_begin();
	d = device_new_depth(2, 32);
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		snprintf(path, sizeof(path), "/sys/class/abuse/abctl%u/%s", d.number,
			 names[i]);
		ok(!stat(path, &st) && !(st.st_mode & 0222), "%s, read-only", names[i]);
	}
	snprintf(path, sizeof(path), "/sys/class/block/abuse%u/device/oldest_ms",
		 d.number);
	ok(!access(path, F_OK), "the disk is its child");
	ok(!strcmp(attribute(&d, "state"), "empty"), "state empty");
	is(attribute_number(&d, "owner"), 0, "owner");
	is(attribute_number(&d, "hw_queues"), 2, "hw_queues");
	is(attribute_number(&d, "depth"), 32, "depth");
	is(attribute_number(&d, "oldest_ms"), 0, "oldest_ms");
	all_are(0, 0, 0, 0, 0);

	set_up(&d, 1 * MIB, 0);
	ok(!strcmp(attribute(&d, "state"), "up"), "state up");
	is(attribute_number(&d, "queue_limit"), 64, "queue_limit");
	is(attribute_number(&d, "ready"), 0, "ready before a server looks");
	io = io_read(&d, 0, 4096);
	ok(wait_for(attribute_number(&d, "queued") == 1), "a read");
	ok(wait_for(attribute_number(&d, "oldest_ms") >= 100), "oldest_ms grows");
	is(attribute_number(&d, "ready"), 0, "ready before a server looks");
	fd = server_open(&d);
	other = server_open(&d);
	q = fetch_one(fd, NULL, 0);
	is(attribute_number(&d, "ready"), 1, "ready when one did");
	jo = io_read(&d, 65536, 4096);
	ok(wait_for(attribute_number(&d, "queued") == 1), "another read");
	all_are(1, 1, 0, 0, 0);
	ok(attribute_number(&d, "oldest_ms") >= 100, "the held one is the oldest");
	is(reply(fd, q.id, 0, data), 0, "an answer");
	is(io_end(io), 0, "its read");
	all_are(1, 0, 1, 0, 0);
	q = fetch_one(fd, NULL, 0);
	close(fd);
	ok(wait_for(attribute_number(&d, "held") == 0), "its holder has gone");
	all_are(1, 0, 1, 0, 1);
	r = fetch_one(other, NULL, 0);
	is(reply(other, q.id, 0, data), ESTALE, "a stale answer");
	all_are(0, 1, 1, 0, 1);
	is(reply(other, r.id, EIO, NULL), 0, "an answer with an error");
	is(io_end(jo), EIO, "its read");
	all_are(0, 0, 1, 1, 1);
	is(attribute_number(&d, "oldest_ms"), 0, "oldest_ms");

	is(reset(other), 0, "RESET");
	ok(!strcmp(attribute(&d, "state"), "empty"), "state empty");
	is(attribute_number(&d, "ready"), 0, "ready after RESET");
	set_up(&d, 1 * MIB, 0);
	all_are(0, 0, 0, 0, 0);

	is(attribute_number(&d, "claimed"), 0, "claimed before it is");
	fd = open(d.disk, O_RDONLY | O_EXCL);		/* as a mount has it */
	is(attribute_number(&d, "claimed"), 1, "claimed");
	close(fd);
	is(attribute_number(&d, "claimed"), 0, "claimed when the claim is over");
	return done();
}
