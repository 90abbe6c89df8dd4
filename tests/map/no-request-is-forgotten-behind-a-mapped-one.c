/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * A server that sleeps is woken for a request that no range has, although the last request of its
 * plug is one of the map; and CLEAR on a device that has neither map nor file changes nothing.
 * The plug holds requests of two disks, since kernels pass such a plug on one by one.
 */
/* timeout: 90 */
#include <linux/aio_abi.h>

#include "map.h"

#define SIZE	(1 * MIB)
#define WAIT	40		/* seconds that the server sleeps if nobody wakes it */
#define NR	4		/* io_submit(2) makes a plug of more than 2 */

static struct device dev, other;
static int ctl, shm;
static aio_context_t context;

static void clear_without_a_map(void)
{
	struct ram *ram;

	is(map_one(ctl, entry_clear(0, SIZE / 512, MAP_ALL)), 0, "CLEAR without a map");
	ram = ram_start(&dev, memory_new(SIZE), SIZE);
	is(io_end(io_write(&dev, 0, 4096, 3)), 0, "a write goes to a server");
	is(io_end(io_start(&dev, IO_FSYNC, 0, 0)), 0, "and a FLUSH");
	ram_stop(ram);
	is(attribute_number(&dev, "map_missed"), 0, "none was looked up");
}

/* Answers one request. Fails if it slept for most of WAIT. */
static int serve_one(void *unused)
{
	struct abuse_request q;
	char *zeroes = memory_new(MIB);
	int fd = server_open(&dev);
	time_t begin = time(NULL);

	(void)unused;
	if (fetch(fd, &q, 1, NULL, 0, WAIT * SEC) != 1 || reply(fd, q.id, 0, zeroes))
		return 1;
	return time(NULL) - begin > WAIT / 2 ? 2 : 0;
}

/* Reads at these places of the disk and of the other one, in one plug. */
static void one_plug(const off_t places[2])
{
	static char data[NR][4096] __attribute__((aligned(4096)));
	int fd = disk_open(&dev, O_RDONLY | O_DIRECT), fd2 = disk_open(&other, O_RDONLY | O_DIRECT);
	struct iocb iocbs[NR], *list[NR];
	struct io_event events[NR];

	for (int i = 0; i < NR; i++) {
		iocbs[i] = (struct iocb) {
			.aio_fildes = i < 2 ? fd : fd2, .aio_lio_opcode = IOCB_CMD_PREAD,
			.aio_buf = ADDR(data[i]), .aio_nbytes = 4096,
			.aio_offset = i < 2 ? places[i] : i * 65536,
		};
		list[i] = &iocbs[i];
	}
	is(syscall(SYS_io_submit, context, NR, list), NR, "io_submit");
	is(syscall(SYS_io_getevents, context, NR, NR, events, NULL), NR, "all of them end");
	close(fd);
	close(fd2);
}

static void a_mapped_one_is_last(void)
{
	static const off_t orders[2][2] = { { SIZE / 2, 0 }, { 0, SIZE / 2 } };
	struct ram *ram = ram_start(&other, memory_new(SIZE), SIZE);
	pid_t pid;

	is(map_bytes(ctl, registered(ctl, shm), 0, SIZE / 2, MAP_RW), 0, "MAP of one half");
	for (int i = 0; i < 2; i++) {
		pid = child_start(serve_one, NULL);
		need(wait_for(attribute_number(&dev, "servers") == 1), "a server that sleeps");
		usleep(300000);
		one_plug(orders[i]);
		is(child_wait(pid), 0, "the server was woken");
		need(wait_for(attribute_number(&dev, "servers") == 0), "its end");
	}
	ram_stop(ram);
}

int main(void)
{
	test_begin();
	need(!syscall(SYS_io_setup, NR, &context), "io_setup");
	shm = file_new("/dev/shm", SIZE, 7, O_RDWR);
	dev = device_new();
	set_up(&dev, SIZE, ABUSE_F_WRITE_CACHE);
	other = device_new();
	set_up(&other, SIZE, 0);
	ctl = server_open(&dev);
	clear_without_a_map();
	a_mapped_one_is_last();
	is(reset(ctl), 0, "RESET");
	close(ctl);
	return done();
}
