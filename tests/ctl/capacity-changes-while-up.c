/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * Capacity goes up and down on a device that is up and open: queued requests
 * beyond a new end get EIO, those within stay, new ones see the new end,
 * and listeners are told with RESIZE=1.
 */
#include "abuse.h"
#include <linux/netlink.h>
#include <sys/socket.h>

static int events_open(void)
{
	struct sockaddr_nl address = { .nl_family = AF_NETLINK, .nl_groups = 1 };
	int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
			NETLINK_KOBJECT_UEVENT);

	need(fd >= 0 && !bind(fd, (void *)&address, sizeof(address)),
	     "kernel events");
	return fd;
}

/* Is there an event of this disk with that property among those to come? */
static bool event_came(int fd, const struct device *d, const char *property)
{
	char text[8192];
	ssize_t n;

	while ((n = recv(fd, text, sizeof(text) - 1, 0)) > 0) {
		bool ours = false, has = false;

		text[n] = 0;
		for (char *p = text; p < text + n; p += strlen(p) + 1) {
			char name[32];

			snprintf(name, sizeof(name), "DEVNAME=abuse%u", d->number);
			ours |= !strcmp(p, name);
			has |= !strcmp(p, property);
		}
		if (ours && has)
			return true;
	}
	return false;
}

static int resize(int fd, uint64_t capacity)
{
	struct abuse_params p = params_of(capacity);

	return set_params(fd, &p);
}

int main(void)
{
	struct device d;
	struct abuse_info info;
	struct abuse_request q[2];
	struct io *within, *beyond, *across, *held;
	struct ram *ram;
	char *store = memory_new(8 * MIB);
	int fd, disk, events;
	uint64_t size;

	test_begin();
	d = device_new();
	set_up(&d, 4 * MIB, 0);
	fd = server_open(&d);
	events = events_open();
	disk = open(d.disk, O_RDONLY | O_EXCL);		/* as a mount has it */
	need(disk >= 0, "open %s", d.disk);

	held = io_read(&d, 3 * MIB + 65536, 4096);
	q[0] = fetch_one(fd, NULL, 0);
	within = io_read(&d, 1 * MIB - 4096, 4096);
	beyond = io_write(&d, 3 * MIB, 4096, 1);
	across = io_read(&d, 1 * MIB + 4096, 8192);
	ok(wait_for(attribute_number(&d, "queued") == 3), "three are queued");

	is(resize(fd, 2 * MIB), 0, "down to 2 MiB");
	is(io_end(beyond), EIO, "a write beyond the new end");
	ok(!within->done && !across->done, "those within wait");
	is(attribute_number(&d, "queued"), 2, "queued");
	ok(!ioctl(disk, BLKGETSIZE64, &size) && size == 2 * MIB, "the disk is smaller");
	ok(wait_for(event_came(events, &d, "RESIZE=1")), "an event with RESIZE=1");
	is(resize(fd, 1 * MIB + 8192), 0, "down into the middle of a request");
	is(io_end(across), EIO, "the read across the new end");
	ok(!within->done, "the one within waits");
	is(reply(fd, q[0].id, EIO, NULL), 0, "a held one is its holder's to answer");
	is(io_end(held), EIO, "its read");
	is(get_status(fd, &info), 0, "GET_STATUS");
	is(info.ab_size, 1 * MIB + 8192, "ab_size");
	is(io_end(io_read(&d, 2 * MIB, 4096)), EPROTO, "a read beyond the end gets nothing");
	ok(io_end(io_write(&d, 2 * MIB, 4096, 0)) > 0, "a write beyond the end fails");

	is(resize(fd, 8 * MIB), 0, "up to 8 MiB");
	ok(wait_for(event_came(events, &d, "RESIZE=1")), "an event with RESIZE=1");
	is(disk_size(&d), 8 * MIB, "the disk is larger");
	ok(!within->done, "the queued one waits still");
	ram = ram_start(&d, store, 8 * MIB);
	is(io_end(within), 0, "now it is served");
	is(io_end(io_write(&d, 8 * MIB - 65536, 65536, 5)), 0, "a write at the new end");
	ok(pattern_is((unsigned char *)store + 8 * MIB - 65536, 65536, 5), "its bytes");

	/* Up and down under load. */
	{
		int odd = 0, refused = 0;

		for (int i = 0; i < 30; i++) {
			struct io *io[4];

			for (int k = 0; k < 4; k++)
				io[k] = io_write(&d, k * 2 * MIB, 16384, k);
			refused += resize(fd, i % 2 ? 8 * MIB : 2 * MIB) != 0;
			for (int k = 0; k < 4; k++) {
				int error = io_end(io[k]);

				odd += error == -1 || (!k && error);
			}
		}
		is(refused, 0, "changes under load that were refused");
		is(odd, 0, "writes that hang, or fail though they lie within");
	}
	ram_stop(ram);
	close(disk);
	return done();
}
