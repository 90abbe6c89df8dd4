/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * Of READs that come under one plug, 1 MiB is copied in place, and workers do the rest, with a
 * scheduler, too. Of the next plug, it is 1 MiB again.
 */
/* timeout: 60 */
#include "map.h"
#include "recorder.h"

#define PIECE	(64 * KIB)	/* from 128 KiB on, the kernel unplugs */
#define NR	30		/* the kernel unplugs at 32 */
#define SIZE	(2 * NR * PIECE)

static struct device dev;

/* Every second piece: neighbours would be merged. */
static void one_plug(const char *name)
{
	struct hits before = hits_of(&dev), after;
	struct aio *aio = aio_new(&dev);
	unsigned char *data = memory_new(NR * PIECE), *want = memory_new(SIZE);
	int wrong = 0;

	pattern_fill(want, SIZE, 7);
	for (int i = 0; i < NR; i++)
		aio_add(aio, IOCB_CMD_PREAD, data + i * PIECE, PIECE, 2 * i * PIECE, 0);
	is(aio_run(aio), 0, name);
	for (int i = 0; i < NR; i++)
		wrong += aio->res[i] != PIECE ||
			 memcmp(data + i * PIECE, want + 2 * i * PIECE, PIECE);
	is(wrong, 0, "reads that are short or have other bytes");
	after = hits_of(&dev);
	is(after.in_place - before.in_place, MIB / PIECE, "in place");
	is(after.by_worker - before.by_worker, NR - MIB / PIECE, "by workers");
	close(aio->fd);
	syscall(SYS_io_destroy, aio->ctx);
	munmap(aio, sizeof(*aio));
	munmap(data, NR * PIECE);
	munmap(want, SIZE);
}

int main(void)
{
	int ctl, fd;

	test_begin();
	fd = file_new("/dev/shm", SIZE, 7, O_RDWR);
	dev = device_new();
	set_up(&dev, SIZE, 0);
	ctl = server_open(&dev);
	is(map_bytes(ctl, registered(ctl, fd), 0, SIZE, MAP_R), 0, "MAP");
	one_plug("a plug");
	one_plug("the next one");
	if (!shell("modprobe -q mq-deadline; grep -q mq-deadline /sys/block/abuse%u/queue/scheduler",
		   dev.number)) {
		is(shell("echo mq-deadline >/sys/block/abuse%u/queue/scheduler", dev.number), 0,
		   "a scheduler");
		one_plug("a plug with a scheduler");
		one_plug("the next one with a scheduler");
	}
	is(reset(ctl), 0, "RESET");
	close(ctl);
	return done();
}
