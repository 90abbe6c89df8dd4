/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * After RESET and a new set-up nobody reads a byte of the former medium and no byte of it
 * reaches the new one, though the disk stays open, mapped or dirty meanwhile; the former's lost
 * writes are told to whoever had it open and to nobody else; diskseq is another.
 */
/* timeout: 120 */
#include "abuse.h"

#define SIZE	(4 * MIB)
#define PART	(64 * KIB)

enum mode { OPEN, MAPPED, DIRTY, WRITTEN, FAILED, NR_MODES };

static const char *const names[] = {
	"open", "mapped", "dirty through a mapping", "dirty through write(2)",
	"dirty, and written back in vain",
};

static unsigned char *stores[2];

static long diskseq(const struct device *d)
{
	char path[64], text[32] = "";
	int fd;

	snprintf(path, sizeof(path), "/sys/block/abuse%u/diskseq", d->number);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	need(read(fd, text, sizeof(text) - 1) > 0, "read %s", path);
	close(fd);
	return atol(text);
}

static struct ram *live(const struct device *d, int which)
{
	memset(stores[which], 'A' + which, SIZE);
	set_up(d, SIZE, ABUSE_F_WRITE_CACHE);
	return ram_start(d, stores[which], SIZE);
}

static void one_life_after_another(const struct device *d, int fd, enum mode mode)
{
	unsigned char *data = memory_new(PART), *map = NULL;
	long seq = diskseq(d), next;
	struct ram *ram = live(d, 0);
	int old, new;

	printf("# %s\n", names[mode]);
	old = disk_open(d, O_RDWR);
	is(pread(old, data, PART, 0), PART, "bytes read");
	ok(bytes_are(data, PART, 'A'), "the first medium is read");
	if (mode != OPEN) {
		map = mmap(NULL, PART, PROT_READ | PROT_WRITE, MAP_SHARED, old, 0);
		need(map != MAP_FAILED, "mmap");
		ok(bytes_are(map, PART, 'A'), "and mapped");
	}
	if (mode == DIRTY)
		memset(map + 4096, 'X', 4096);
	if (mode == WRITTEN || mode == FAILED) {
		memset(data, 'X', 8192);
		is(pwrite(old, data, 8192, 4096), 8192, "bytes written");
	}
	is(reset(fd), 0, "RESET");
	ram_stop(ram);
	if (mode == FAILED)
		sync();
	ram = live(d, 1);
	next = diskseq(d);
	ok(next < 0 || next != seq, "diskseq was %ld and is %ld", seq, next);

	new = disk_open(d, O_RDWR);
	is(pread(new, data, PART, 0), PART, "bytes read");
	ok(bytes_are(data, PART, 'B'), "a new opener reads the new medium");
	is(pread(old, data, PART, 0), PART, "bytes read");
	ok(bytes_are(data, PART, 'B'), "and so does who had it open");
	ok(!map || bytes_are(map, PART, 'B'), "and who had it mapped");
	is(fsync(new), 0, "fsync of the new opener");
	if (mode >= DIRTY)
		ok(fsync(old) < 0 && errno == EIO, "fsync of the old one is EIO");
	is(fsync(old), 0, "and then 0");
	sync();
	ok(bytes_are(stores[1], SIZE, 'B'), "the new medium got nothing of the old one");
	if (map)
		munmap(map, PART);
	close(old);
	is(fsync(new), 0, "fsync of the new opener");
	close(new);
	ok(bytes_are(stores[1], SIZE, 'B'), "nor when that was closed");
	is(reset(fd), 0, "RESET");
	ram_stop(ram);
	munmap(data, PART);
}

int main(void)
{
	struct device d;
	int fd;

	test_begin();
	stores[0] = memory_new(SIZE);
	stores[1] = memory_new(SIZE);
	d = device_new();
	fd = server_open(&d);
	for (enum mode mode = 0; mode < NR_MODES; mode++)
		one_life_after_another(&d, fd, mode);
	return done();
}
