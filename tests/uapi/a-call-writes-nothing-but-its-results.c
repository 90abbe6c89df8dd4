/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * GET_BIO, GET_MAP, ADD, REGISTER_FILE, MAP and SET_PARAMS write the fields that are their
 * results, and no other byte of the caller's memory. Members without a meaning there are zero,
 * and no byte of a result comes from the kernel's memory.
 */
/* build: m32 */
#include "map.h"

#define SIZE	(1 * MIB)
#define FILL	0xa5
#define MOST	256		/* vecs */
#define ROOM	(8 * KIB)	/* for the struct and some bytes behind it */

/* Each call is given memory that is filled, and want is what is expected there afterwards. */
static union memory {
	struct { struct abuse_xfr_hdr hdr; uint64_t gap; struct abuse_vec vecs[MOST]; } bio;
	struct { struct abuse_map map; uint64_t gap; struct abuse_map_entry entries[8]; } map;
	struct abuse_add add;
	struct abuse_file file;
	struct abuse_params params;
	unsigned char bytes[ROOM];
} *have, *want;

static void fill(void)
{
	memset(have, FILL, ROOM);
	memset(want, FILL, ROOM);
}

static void compare(const char *what)
{
	unsigned int at = 0;

	while (at < ROOM && have->bytes[at] == want->bytes[at])
		at++;
	ok(at == ROOM, "%s writes nothing else", what);
	if (at < ROOM)
		printf("# byte %u is %02x, wanted %02x\n", at, have->bytes[at], want->bytes[at]);
}

/* The caller's own members, in both. */
#define given(member, value)	(have->member = want->member = (value))
/* A result, whatever it is. */
#define result(member)		(want->member = have->member)

/* ---- GET_BIO ------------------------------------------------------------------------- */

static void get_bio_writes(int ctl, const struct device *d)
{
	struct io *io = io_prepare(d, IO_WRITE, 64 * KIB, 8192);
	uint32_t n;

	puts("# GET_BIO");
	fill();
	given(bio.hdr.ab_transfer_address, ADDR(have->bio.vecs));
	is(call(ctl, ABUSE_GET_BIO, have), -ENOMSG, "GET_BIO of an empty queue");
	want->bio.hdr.ab_id = want->bio.hdr.ab_transfer_address = 0;
	want->bio.hdr.ab_vec_count = 0;
	compare("it");

	io_go(io);
	need(wait_for(attribute_number(d, "queued") == 1), "a request");
	fill();
	given(bio.hdr.ab_transfer_address, ADDR(have->bio.vecs));
	is(call(ctl, ABUSE_GET_BIO, have), 0, "GET_BIO");
	n = have->bio.hdr.ab_vec_count;
	need(n && n <= MOST, "vecs (%u)", n);
	result(bio.hdr.ab_id);
	want->bio.hdr.ab_sector = 128;
	want->bio.hdr.ab_command = ABUSE_WRITE;
	want->bio.hdr.ab_vec_count = n;
	for (uint32_t i = 0; i < n; i++) {
		result(bio.vecs[i].ab_len);
		result(bio.vecs[i].ab_offset);
		want->bio.vecs[i].ab_address = 0;
		ok(have->bio.vecs[i].ab_len <= 8192 && have->bio.vecs[i].ab_offset < 64 * KIB,
		   "vec %u is a length and an offset in a page", i);
	}
	compare("it");

	fill();
	given(bio.hdr.ab_transfer_address, 0);
	is(call(ctl, ABUSE_GET_BIO, have), 0, "GET_BIO of the header alone");
	result(bio.hdr.ab_id);
	want->bio.hdr.ab_sector = 128;
	want->bio.hdr.ab_command = ABUSE_WRITE;
	want->bio.hdr.ab_vec_count = n;
	compare("it");

	given(bio.hdr.ab_result, ABUSE_RESULT_MEDIA_FAILURE);
	given(bio.hdr.ab_transfer_address, ADDR(have->bio.vecs));
	is(call(ctl, ABUSE_PUT_BIO, have), 0, "PUT_BIO");
	compare("it");
	is(io_end(io), EIO, "the write");
}

/* ---- files and maps ------------------------------------------------------------------ */

static int register_writes(int ctl, int fd)
{
	puts("# REGISTER_FILE");
	fill();
	given(file.size, sizeof(have->file));
	given(file.flags, 0);
	given(file.fd, fd);
	is(call(ctl, ABUSE_REGISTER_FILE, have), 0, "REGISTER_FILE");
	result(file.index);
	is(have->file.index, 0, "the first index");
	compare("it");
	given(file.fd, -1);
	is(call(ctl, ABUSE_REGISTER_FILE, have), -EBADF, "REGISTER_FILE that is refused");
	compare("it");
	return have->file.index;
}

static void map_header(unsigned int nr)
{
	fill();
	given(map.map.size, sizeof(have->map.map));
	given(map.map.flags, 0);
	given(map.map.entries, ADDR(have->map.entries));
	given(map.map.nr, nr);
	given(map.map.entry_size, sizeof(have->map.entries[0]));
	given(map.map.sector, 0);
}

static void map_writes(int ctl, int fd, unsigned int file)
{
	struct stat st;

	need(!fstat(fd, &st), "fstat");
	puts("# MAP");
	map_header(2);
	given(map.entries[0], entry(0, 8, file, 0, MAP_R));
	given(map.entries[1], entry(64, 8, file, 8192, MAP_RW));
	is(call(ctl, ABUSE_MAP, have), 0, "MAP");
	compare("it");

	puts("# GET_MAP");
	map_header(8);
	is(call(ctl, ABUSE_GET_MAP, have), 0, "GET_MAP");
	want->map.map.nr = 2;
	want->map.entries[0] = entry(0, 8, file, 0, MAP_R);
	want->map.entries[1] = entry(64, 8, file, 8192, MAP_RW);
	for (int i = 0; i < 2; i++) {
		/* As the kernel's own encoding, which glibc's is, too, for numbers so small. */
		want->map.entries[i].device = st.st_dev;
		want->map.entries[i].inode = st.st_ino;
	}
	compare("it");

	map_header(8);
	given(map.map.sector, SIZE / 512 - 1);
	is(call(ctl, ABUSE_GET_MAP, have), 0, "GET_MAP where nothing is mapped");
	want->map.map.nr = 0;
	compare("it");

	map_header(1);
	given(map.map.entry_size, sizeof(have->map.entries[0]) + 16);
	is(call(ctl, ABUSE_GET_MAP, have), 0, "GET_MAP with a wider stride");
	want->map.entries[0] = entry(0, 8, file, 0, MAP_R);
	want->map.entries[0].device = st.st_dev;
	want->map.entries[0].inode = st.st_ino;
	memset(&want->map.entries[1], 0, 16);
	compare("it");
}

/* ---- ADD and parameters -------------------------------------------------------------- */

static void add_writes(void)
{
	puts("# ADD");
	fill();
	memset(&have->add, 0, sizeof(have->add));
	have->add.size = sizeof(have->add);
	have->add.number = ABUSE_NUMBER_ANY;
	want->add = have->add;
	is(device_add(&have->add), 0, "ADD");
	result(add.number);
	ok(have->add.number < 1 << 20, "a number");
	compare("it");
	is(device_add(&have->add), -EEXIST, "ADD of what is there");
	compare("it");
	is(device_remove(have->add.number), 0, "REMOVE");
}

static void params_write(int ctl)
{
	puts("# SET_PARAMS and GET_PARAMS");
	fill();
	have->params = want->params = params_of(SIZE);
	is(call(ctl, ABUSE_SET_PARAMS, have), 0, "SET_PARAMS");
	compare("it");
	memset(&have->params, FILL, sizeof(have->params));
	have->params.size = sizeof(have->params);
	is(call(ctl, ABUSE_GET_PARAMS, have), 0, "GET_PARAMS");
	want->params = have->params;
	want->params.reserved = want->params.seal_uid = 0;
	memset(want->params.name, 0, sizeof(want->params.name));
	memset(want->params.uuid, 0, sizeof(want->params.uuid));
	memset(want->params.store, 0, sizeof(want->params.store));
	compare("it");
}

int main(void)
{
	struct device d;
	int ctl, fd;

	test_begin();
	have = memory_new(ROOM);
	want = memory_new(ROOM);
	d = device_new();
	ctl = server_open(&d);
	params_write(ctl);
	get_bio_writes(ctl, &d);
	fd = file_new("/dev/shm", SIZE, 1, O_RDWR);
	map_writes(ctl, fd, register_writes(ctl, fd));
	add_writes();
	is(reset(ctl), 0, "RESET");
	close(ctl);
	close(fd);
	return done();
}
