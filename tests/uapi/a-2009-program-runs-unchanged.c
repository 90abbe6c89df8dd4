/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * A server as 2009 wrote them, with nothing but what that header said, runs as
 * it is: O_RDONLY, poll for POLLMSG, GET_BIO, memory from malloc, PUT_BIO.
 */
/* build: m32 */
#include "abuse.h"

/* The structs that such a program was compiled with. */
struct old_info {
	unsigned long long ab_device, ab_size;
	unsigned int ab_number, ab_flags, ab_blocksize, ab_max_queue;
	unsigned int ab_queue_size, ab_errors, ab_max_vecs;
};

struct old_vec {
	unsigned long long ab_address;
	unsigned int ab_len, ab_offset;
};

struct old_hdr {
	unsigned long long ab_id, ab_sector;
	unsigned int ab_command, ab_result, ab_vec_count, ab_vec_offset;
	unsigned long long ab_transfer_address;
};

/* It cast pointers straight to 64 bits, which extends the sign on 32. */
#define OLD_ADDR(p)	((unsigned long long)(long long)(long)(p))

#define BLOCKS	64
static char old_store[BLOCKS * 4096];

/* Serves requests until one of them reads the last block. */
static int old_server(void *arg)
{
	const char *node = arg;
	struct old_info info;
	struct old_hdr hdr;
	struct old_vec vecs[512];
	int fd = open(node, O_RDONLY), last = 0;
	unsigned int i;

	memset(&info, 0, sizeof(info));
	info.ab_size = sizeof(old_store);
	info.ab_blocksize = 4096;
	info.ab_max_queue = 128;
	if (fd < 0 || ioctl(fd, 0x4121, &info) < 0)
		return 2;
	while (!last) {
		struct pollfd p = { .fd = fd, .events = 0x0400 };
		char *at;

		if (poll(&p, 1, -1) < 0)
			return 3;
		if (!(p.revents & 0x0400))
			return 4;
		memset(&hdr, 0, sizeof(hdr));
		hdr.ab_transfer_address = OLD_ADDR(vecs);
		if (ioctl(fd, 0x4124, &hdr) < 0)
			return 5;
		at = old_store + hdr.ab_sector * 512;
		for (i = 0; i < hdr.ab_vec_count; i++) {
			char *memory = malloc(vecs[i].ab_len);

			vecs[i].ab_address = OLD_ADDR(memory);
			if (hdr.ab_command == 0)
				memcpy(memory, at, vecs[i].ab_len);
			at += vecs[i].ab_len;
		}
		last = hdr.ab_command == 0 &&
		       at == old_store + sizeof(old_store);
		if (ioctl(fd, 0x4125, &hdr) < 0)
			return 6;
		at = old_store + hdr.ab_sector * 512;
		for (i = 0; i < hdr.ab_vec_count; i++) {
			char *memory = (char *)(uintptr_t)vecs[i].ab_address;

			if (hdr.ab_command == 1)
				memcpy(at, memory, vecs[i].ab_len);
			at += vecs[i].ab_len;
			free(memory);
		}
	}
	return 0;
}

int main(void)
{
	struct device d;
	struct io *io;
	pid_t pid;

	test_begin();
	d = device_new();
	pid = child_start(old_server, d.node);
	ok(wait_for(disk_size(&d) == sizeof(old_store)), "it sets the device up");

	is(io_end(io_write(&d, 0, 65536, 1)), 0, "write of 64 KiB");
	is(io_end(io_write(&d, 65536, 4096, 2)), 0, "write of a block");
	io = io_read(&d, 0, 65536);
	is(io_wait(io), 0, "read of 64 KiB");
	ok(pattern_is(io->data, 65536, 1), "what was written");
	io_free(io);
	io = io_read(&d, 65536, sizeof(old_store) - 65536);
	is(io_wait(io), 0, "read to the end");
	ok(pattern_is(io->data, 4096, 2) &&
	   bytes_are(io->data + 4096, io->length - 4096, 0), "what was written");
	io_free(io);
	is(child_wait(pid), 0, "exit status of the server");
	return done();
}
