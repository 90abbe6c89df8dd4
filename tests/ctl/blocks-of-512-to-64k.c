/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * Devices with blocks of 512 bytes to 64 KiB come up by either call and hand out
 * whole blocks alone; blocks larger than a page are EINVAL where the kernel has none.
 */
#include "abuse.h"

#define SIZE (1 * MIB)

/* From 6.15 on, and only with folios of several pages. */
static bool has_large_blocks(void)
{
	return kernel_is_from(6, 15) &&
	       !access("/sys/kernel/mm/transparent_hugepage", F_OK);
}

int main(void)
{
	struct device d;
	unsigned char *store = memory_new(SIZE);
	struct ram *ram;
	int fd, value;

	test_begin();
	d = device_new();
	fd = server_open(&d);
	for (unsigned int block = 512; block <= 131072; block *= 2)
		for (int old = 0; old < 2; old++) {
			struct abuse_params p = params_of(SIZE);
			struct abuse_info info;
			struct io *io;
			char *data;
			int disk, ret;

			memset(&info, 0, sizeof(info));
			info.ab_size = SIZE;
			info.ab_blocksize = p.logical_block_size = block;
			info.ab_max_queue = 32;
			ret = old ? set_status(fd, &info) : set_params(fd, &p);
			if (block > (has_large_blocks() ? 65536 :
				     sysconf(_SC_PAGESIZE))) {
				is(ret, -EINVAL, "blocks of that size");
				continue;
			}
			ok(!ret, "blocks of %u (%d)", block, ret);
			disk = disk_open(&d, O_RDWR | O_DIRECT);
			ok(!ioctl(disk, BLKSSZGET, &value) && value == (int)block,
			   "the disk says %d", value);
			ram = ram_start(&d, store, SIZE);
			memset(store, 0, SIZE);
			is(io_end(io_write(&d, 3 * block, 5 * block, block)), 0, "a write");
			ok(pattern_is(store + 3 * block, 5 * block, block) &&
			   bytes_are(store, 3 * block, 0) &&
			   bytes_are(store + 8 * block, block, 0), "just its bytes");
			io = io_read(&d, 3 * block, 5 * block);
			is(io_wait(io), 0, "a read");
			ok(pattern_is(io->data, 5 * block, block), "its bytes");
			io_free(io);
			need(!posix_memalign((void **)&data, 4096, block), "memory");
			if (block > 512)
				ok(pread(disk, data, block / 2, 0) < 0 && errno == EINVAL,
				   "half a block is refused");
			/* Buffered, a byte in the middle of a block. */
			value = open(d.disk, O_RDWR | O_CLOEXEC);
			is(pwrite(value, "x", 1, 3 * block + 7), 1, "one byte, buffered");
			is(fsync(value), 0, "fsync");
			close(value);
			ok(store[3 * block + 7] == 'x' &&
			   store[3 * block + 8] == pattern_byte(8, block),
			   "that byte alone has changed");
			free(data);
			close(disk);
			ram_stop(ram);
			is(reset(fd), 0, "RESET");
		}
	return done();
}
