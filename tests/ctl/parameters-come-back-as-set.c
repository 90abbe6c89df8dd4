/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * GET_PARAMS tells everything as SET_PARAMS set it, and the block layer shows
 * the same limits for the disk.
 */
#include "abuse.h"

static long long queue(const struct device *d, const char *name)
{
	char path[128], text[64] = "";
	int fd;

	snprintf(path, sizeof(path), "/sys/block/abuse%u/queue/%s", d->number, name);
	fd = open(path, O_RDONLY);
	if (fd < 0)
		return -1;
	if (read(fd, text, sizeof(text) - 1) < 0)
		text[0] = 0;
	close(fd);
	return strtoll(text, NULL, 0);
}

int main(void)
{
	struct abuse_params p, q;
	struct device d;
	char text[64] = "", path[128];
	int fd, file;

	test_begin();
	d = device_new_depth(2, 100);
	fd = server_open(&d);
	p = params_of(64 * MIB);
	p.features = ABUSE_F_WRITE_CACHE | ABUSE_F_FUA | ABUSE_F_DISCARD |
		     ABUSE_F_WRITE_ZEROES | ABUSE_F_ROTATIONAL;
	p.logical_block_size = 1024;
	p.physical_block_size = 4096;
	p.io_min = 8192;
	p.io_opt = 65536;
	p.max_request = 262144;
	p.chunk = 131072;
	p.max_discard = 8 * MIB;
	p.max_write_zeroes = 4 * MIB;
	p.discard_granularity = 16384;
	p.queue_limit = 77;
	p.timeout = 3600 * SEC;
	strcpy(p.name, "round-trip");
	for (int i = 0; i < 16; i++)
		p.uuid[i] = i + 1;
	/* From here on SET_PARAMS does not look. */
	p.all_features = p.all_ops = ~0ULL;
	p.number = p.state = p.owner = p.trusted = p.hw_queues = p.depth = 99;
	is(set_params(fd, &p), 0, "SET_PARAMS");
	is(get_params(fd, &q), 0, "GET_PARAMS");
	q.flags &= p.flags;
	ok(!memcmp((char *)&p + 4, (char *)&q + 4,
		   offsetof(struct abuse_params, all_features) - 4),
	   "every field is as it was set");
	is(q.features, p.features, "features");
	is(q.io_min, 8192, "io_min");
	is(q.chunk, 131072, "chunk");
	is(q.queue_limit, 77, "queue limit");
	is(q.timeout, 3600 * SEC, "time-out");
	is(q.number, d.number, "number");
	is(q.state, ABUSE_S_UP, "state");
	is(q.owner, 0, "owner");
	is(q.trusted, 0, "trusted");
	is(q.hw_queues, 2, "hardware queues");
	is(q.depth, 100, "depth");
	is(q.all_ops & 0x1f, 0x1f, "operations that can be done");
	is(q.all_features & 0x1f, 0x1f, "features that can be asked for");

	is(disk_size(&d), 64 * MIB, "size of the disk");
	is(queue(&d, "logical_block_size"), 1024, "logical_block_size");
	is(queue(&d, "physical_block_size"), 4096, "physical_block_size");
	is(queue(&d, "minimum_io_size"), 8192, "minimum_io_size");
	is(queue(&d, "optimal_io_size"), 65536, "optimal_io_size");
	is(queue(&d, "max_hw_sectors_kb"), 256, "max_hw_sectors_kb");
	is(queue(&d, "chunk_sectors"), 256, "chunk_sectors");
	is(queue(&d, "discard_max_bytes"), 131072, "discard_max_bytes, by the chunk");
	is(queue(&d, "write_zeroes_max_bytes"), 131072,
	   "write_zeroes_max_bytes, by the chunk");
	is(queue(&d, "rotational"), 1, "rotational");
	is(queue(&d, "fua"), 1, "fua");
	snprintf(path, sizeof(path), "/sys/block/abuse%u/queue/write_cache", d.number);
	file = open(path, O_RDONLY);
	need(file >= 0 && read(file, text, sizeof(text) - 1) > 0, "%s", path);
	close(file);
	ok(!strncmp(text, "write back", 10), "write_cache (%s)", text);
	snprintf(path, sizeof(path), "/sys/block/abuse%u/queue/scheduler", d.number);
	memset(text, 0, sizeof(text));
	file = open(path, O_RDONLY);
	need(file >= 0 && read(file, text, sizeof(text) - 1) > 0, "%s", path);
	close(file);
	ok(strstr(text, "[none]") || !strncmp(text, "none", 4),
	   "no scheduler unless asked for (%s)", text);

	/* The same without a chunk. */
	is(reset(fd), 0, "RESET");
	p.chunk = 0;
	is(set_params(fd, &p), 0, "SET_PARAMS");
	is(queue(&d, "chunk_sectors"), 0, "chunk_sectors");
	is(queue(&d, "discard_max_bytes"), 8 * MIB, "discard_max_bytes");
	is(queue(&d, "discard_granularity"), 16384, "discard_granularity");
	is(queue(&d, "write_zeroes_max_bytes"), 4 * MIB, "write_zeroes_max_bytes");

	/* The next set-up takes nothing over from this one. */
	is(reset(fd), 0, "RESET");
	is(get_params(fd, &q), 0, "GET_PARAMS of the empty device");
	is(q.state, ABUSE_S_EMPTY, "state");
	is(q.capacity, 0, "capacity");
	p = params_of(1 * MIB);
	is(set_params(fd, &p), 0, "SET_PARAMS with nothing but a capacity");
	is(get_params(fd, &q), 0, "GET_PARAMS");
	is(q.features, 0, "features");
	is(q.queue_limit, 200, "queue limit");
	is(q.timeout, 0, "time-out");
	is(queue(&d, "logical_block_size"), 512, "logical_block_size");
	is(queue(&d, "discard_max_bytes"), 0, "discard_max_bytes");
	is(queue(&d, "write_zeroes_max_bytes"), 0, "write_zeroes_max_bytes");
	is(queue(&d, "rotational"), 0, "rotational");
	is(queue(&d, "chunk_sectors"), 0, "chunk_sectors");
	is(queue(&d, "max_hw_sectors_kb"), 1024, "max_hw_sectors_kb");
	return done();
}
