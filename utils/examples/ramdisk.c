// SPDX-License-Identifier: 0BSD
// Copyright (C) 2026 the abuse authors
/*
 * A disk of 64 MiB in memory that outlives its server: kill it, start it again. Compile and run:
 *	cc -o ramdisk ramdisk.c $(pkg-config --cflags --libs libabuse)
 *	./ramdisk 0 /dev/shm/ramdisk
 */
#include <err.h>
#include <fcntl.h>
#include <libabuse.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static int ram_pread(struct abuse_req *req)
{
	return abuse_req_point(req, (char *)req->arg + req->offset);
}

static int ram_pwrite(struct abuse_req *req)
{
	return abuse_req_store(req, (char *)req->arg + req->offset);
}

int main(int argc, char **argv)
{
	struct abuse_ops ops = { .pread = ram_pread, .pwrite = ram_pwrite };
	struct abuse_params params = { .capacity = 64 << 20 };
	struct abuse_config config = { .ops = &ops, .device = argv[1],
		.flags = ABUSE_SERVER_NO_READ_DATA | ABUSE_SERVER_NO_WRITE_DATA, .params = &params };
	struct abuse_server *srv;
	int fd = argc < 3 ? -1 : open(argv[2], O_RDWR | O_CREAT, 0600), ret;

	config.arg = mmap(NULL, params.capacity, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (config.arg == MAP_FAILED || ftruncate(fd, (off_t)params.capacity))
		err(1, "usage: ramdisk DEV FILE");
	ret = abuse_server_open(&srv, &config) ?: abuse_server_run(srv);
	if (ret < 0)
		errx(1, "%s: %s", argv[1], strerror(-ret));
	return 0;
}
