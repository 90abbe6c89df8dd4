/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * A cow: disk loses its power between any two system calls, and of what was not synced
 * any part is on disk: what a FLUSH or FUA covered when it was answered is read back, each
 * other sector is one that was written since, and what nobody wrote is the base's.
 * Two servers are at it, one of which serves while the other waits for a sync. In two lives of three
 * the kernel has a map, and does by itself what they map.
 */
/* timeout: 90 */
/* cflags: -lz */
#define COW_SYSTEM_CALLS "cow-power.h"
#define cow_synced_range power_sync_range
static int power_sync_range(int fd, unsigned long offset, unsigned long length);
#include "cow.h"

#include <setjmp.h>

#undef pwrite
#undef fallocate
#undef fdatasync

#define CHUNKS		12
#define SIZE		(CHUNKS * COW_CHUNK + 3 * SECTOR)
#define SECTORS		(SIZE / SECTOR)
#define BASE_SIZE	(8 * COW_CHUNK + 5 * SECTOR)
#define FILE_SIZE	(4 * COW_CHUNK + SIZE)
#define PAGE		4096
#define MOST		256		/* writes to one sector in one life */
#ifdef __SANITIZE_ADDRESS__
#define LIVES		800		/* in which all is slower */
#else
#define LIVES		4000
#endif

#define ZERO		0		/* version of zeroes; 1 is the base's */

static unsigned char stable[FILE_SIZE];	/* what is on disk for sure */
static unsigned char now[FILE_SIZE];	/* what the kernel would give */
static struct cow *servers[2];
static jmp_buf power_cut;
static unsigned int calls_left;
static bool is_nested;
static uint64_t busy_first, busy_nr;	/* sectors that the outer one is about to write */
static uint64_t version, order;		/* of what is written next */
static unsigned long flushes, durable_writes, cut_in_kernel;

/* The contents that a sector may have, the newest last. */
static struct {
	struct {
		uint64_t version, order;
	} writes[MOST];
	unsigned int nr;
} may[SECTORS];

static void cut_power_some_time(void)
{
	if (is_nested || calls_left--)
		return;
	cut_in_kernel += kernel_held >= 0;
	longjmp(power_cut, 1);
}

static ssize_t power_pwrite(int fd, const void *from, size_t length, off_t offset)
{
	cut_power_some_time();
	return pwrite(fd, from, length, offset);
}

static int power_fallocate(int fd, int mode, off_t offset, off_t length)
{
	cut_power_some_time();
	return fallocate(fd, mode, offset, length);
}

static void take_in(int fd, unsigned char *bytes)
{
	if (pread(fd, bytes, FILE_SIZE, 0) != (ssize_t)FILE_SIZE)
		fail("DELTA cannot be read");
}

static int power_sync_range(int fd, unsigned long offset, unsigned long length)
{
	cut_power_some_time();
	if (pread(fd, stable + offset, length, (off_t)offset) != (ssize_t)length)
		fail("DELTA cannot be read");
	return 0;
}

static void do_anything(struct cow *cow);

/* Meanwhile the other server serves. */
static void serve_other(int fd)
{
	/* MAP would wait for what the kernel does, in this one thread. */
	if (is_nested || !servers[0] || !servers[1] || kernel_held >= 0 || rand() % 3)
		return;
	is_nested = true;
	do_anything(servers[fd == servers[0]->delta.fd]);
	is_nested = false;
	cut_power_some_time();
}

static int power_sync(int fd)
{
	serve_other(fd);
	cut_power_some_time();
	take_in(fd, stable);
	serve_other(fd);
	return 0;
}

/* ---- what sectors have ---- */

static void make_sector(uint64_t *words, uint64_t sector, uint64_t which)
{
	for (int i = 0; i < SECTOR / 8; i += 2) {
		words[i] = which == ZERO ? 0 : sector + 1;
		words[i + 1] = which;
	}
}

static uint64_t version_of(const uint64_t *words, uint64_t sector)
{
	uint64_t wanted[SECTOR / 8];

	make_sector(wanted, sector, words[1]);
	return memcmp(words, wanted, SECTOR) ? UINT64_MAX : words[1];
}

static void may_have(uint64_t first, uint64_t nr, uint64_t which)
{
	order++;
	for (; nr--; first++) {
		if (may[first].nr == MOST)
			fail("too many writes");
		may[first].writes[may[first].nr].order = order;
		may[first].writes[may[first].nr++].version = which;
	}
}

/* Of what was written up to @mark, the last is on disk for good. */
static void must_have(uint64_t first, uint64_t nr, uint64_t mark)
{
	for (; nr--; first++) {
		unsigned int n = may[first].nr;

		while (n > 1 && may[first].writes[n - 1].order > mark)
			n--;
		if (may[first].writes[n - 1].order > mark)
			continue;
		memmove(may[first].writes, may[first].writes + n - 1,
			(may[first].nr - n + 1) * sizeof(may[first].writes[0]));
		may[first].nr -= n - 1;
	}
}

static void has(uint64_t sector, uint64_t which)
{
	may[sector].nr = 0;
	may_have(sector, 1, which);
}

/* ---- what servers do ---- */

static void do_flush(struct cow *cow)
{
	uint64_t mark = order;

	if (cow_do(cow, ABUSE_OP_FLUSH, 0, 0, 0, NULL))
		fail("a flush");
	must_have(0, SECTORS, mark);
	flushes++;
}

static void do_anything(struct cow *cow)
{
	static uint64_t bytes[2][SIZE / 8];
	uint64_t first = (uint64_t)rand() % SECTORS, nr = 1 + (uint64_t)rand() % 8, mark, i;
	uint64_t *data = bytes[is_nested];
	uint32_t flags = rand() % (is_nested ? 2 : 6) ? 0 : ABUSE_REQ_FUA;
	int what = rand() % 16, ret;

	if (what < 2 && !is_nested) {
		busy_nr = 0;
		do_flush(cow);
		return;
	}
	if (what < 5)
		nr = 1 + (uint64_t)rand() % (SECTORS / 3);
	if (nr > SECTORS - first)
		nr = SECTORS - first;
	if (is_nested) {
		/* Of two writes to one place at once either may be the last. */
		if (first < busy_first + busy_nr && busy_first < first + nr)
			return;
	} else {
		busy_first = first;
		busy_nr = nr;
	}
	if (what == 15) {
		may_have(first, nr, ZERO);
		mark = order;
		ret = cow_do(cow, ABUSE_OP_WRITE_ZEROES, flags, first * SECTOR,
			     nr * SECTOR, NULL);
	} else {
		version++;
		for (i = 0; i < nr; i++)
			make_sector(data + i * SECTOR / 8, first + i, version);
		may_have(first, nr, version);
		mark = order;
		ret = cow_do(cow, ABUSE_OP_WRITE, flags, first * SECTOR, nr * SECTOR,
			     data);
	}
	if (ret)
		fail("a write");
	if (flags) {
		must_have(first, nr, mark);
		durable_writes++;
	}
}

/* ---- lives ---- */

static void read_back(const char *when)
{
	static uint64_t bytes[SIZE / 8];
	uint64_t sector, got;
	unsigned int i;

	if (cow_do(servers[1], ABUSE_OP_READ, 0, 0, SIZE, bytes))
		fail("reading");
	for (sector = 0; sector < SECTORS; sector++) {
		got = version_of(bytes + sector * SECTOR / 8, sector);
		for (i = 0; i < may[sector].nr; i++)
			if (may[sector].writes[i].version == got)
				break;
		if (i == may[sector].nr)
			fail("%s: sector %llu has version %lld, not %llu or one of %u before",
			     when, (unsigned long long)sector, (long long)got,
			     (unsigned long long)may[sector].writes[i - 1].version,
			     i - 1);
		has(sector, got);
	}
}

/* Any part of what was not synced is on disk, and it is another boot's. */
static void lose_power(void)
{
	int fd = open(cow_delta, O_RDWR | O_CLOEXEC), bias = rand() % 4;
	uint64_t at;

	take_in(fd, now);
	for (at = 0; at < FILE_SIZE; at += PAGE) {
		bool is_map = at < 4 * COW_CHUNK;
		bool kept = bias == 0 ? is_map : bias == 1 ? !is_map : rand() % 2;

		if (!kept)
			memcpy(now + at, stable + at, at + PAGE > FILE_SIZE ?
			       FILE_SIZE - at : PAGE);
	}
	memset(now + cow_stamp(SIZE), 'x', COW_BOOT_LEN);
	if (pwrite(fd, now, FILE_SIZE, 0) != (ssize_t)FILE_SIZE)
		fail("DELTA cannot be written");
	memcpy(stable, now, FILE_SIZE);
	close(fd);
}

static void live(int number)
{
	static struct kernel_sector *map;
	int nr;

	map = map ?: kernel_map;
	kernel_map = number % 3 ? map : NULL;
	kernel_reset();
	calls_left = UINT32_MAX;
	for (int i = 0; i < 2; i++)
		servers[i] = cow_server(SIZE, rand() % 4);
	if (!servers[0] || !servers[1])
		fail("DELTA was refused");
	read_back("after the power came back");
	calls_left = (unsigned int)rand() % 40;
	if (!setjmp(power_cut))
		for (nr = 0; nr < 100; nr++)
			do_anything(servers[rand() % 2]);
	is_nested = false;
	kernel_let_go();
	/* A restart of both servers alone loses nothing at all. */
	for (int i = 0; i < 2; i++) {
		cow_abandon(servers[i]);
		servers[i] = NULL;
	}
}

static void begin_anew(void)
{
	struct cow *cow;
	uint64_t sector;
	int fd;

	unlink(cow_delta);
	memset(stable, 0, FILE_SIZE);
	for (sector = 0; sector < SECTORS; sector++)
		has(sector, sector < BASE_SIZE / SECTOR);
	calls_left = UINT32_MAX;
	cow = cow_server(SIZE, false);
	if (!cow)
		fail("DELTA cannot be made");
	cow_abandon(cow);
	fd = open(cow_delta, O_RDONLY | O_CLOEXEC);
	take_in(fd, stable);
	close(fd);
}

int main(void)
{
	static uint64_t bytes[BASE_SIZE / 8];
	uint64_t sector;
	int i;

	srand(1);
	version = 1;
	for (sector = 0; sector < BASE_SIZE / SECTOR; sector++)
		make_sector(bytes + sector * SECTOR / 8, sector, 1);
	cow_begin(bytes, BASE_SIZE);
	kernel_begin(SIZE);
	must(cow_data(SIZE) + SIZE == FILE_SIZE, "DELTA is as large as this test says");
	for (i = 0; i < LIVES; i++) {
		if (i % 3 == 0)
			begin_anew();
		/* Each of the lives of a DELTA is now and then without a map. */
		live(i / 3 + i);
		lose_power();
	}
	ok(flushes > 100 && durable_writes > 100, "%lu flushes, %lu durable writes", flushes,
	   durable_writes);
	ok(*kernel_hits > LIVES / 4 && cut_in_kernel > LIVES / 200, "%lu by the kernel alone, %lu of them cut", *kernel_hits,
	   cut_in_kernel);
	return done();
}
