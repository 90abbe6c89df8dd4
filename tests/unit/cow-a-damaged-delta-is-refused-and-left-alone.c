/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * A DELTA that was cut anywhere, made longer, or has another byte in its header is refused and
 * stays as it is; one of the format before is read. Cut while it is served, it fails
 * requests and ends no server, and nothing makes it longer. A live map of another boot is
 * given up only where no other server and no device that is up goes by it.
 */
/* cflags: -lz */
/* under: memcheck */
#include "cow.h"

#define CHUNKS	3
#define SIZE	(CHUNKS * COW_CHUNK)
#define LENGTH	(4 * COW_CHUNK + SIZE)

static unsigned char whole[LENGTH + 1], found[LENGTH + 1], bytes[SECTOR];

static void leave(const unsigned char *what, size_t length)
{
	int fd = open(cow_delta, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	must(fd >= 0 && write(fd, what, length) == (ssize_t)length, "a DELTA");
	close(fd);
}

static size_t take_in(unsigned char *to)
{
	int fd = open(cow_delta, O_RDONLY | O_CLOEXEC);
	ssize_t nr = read(fd, to, LENGTH + 1);

	must(nr >= 0, "DELTA is read");
	close(fd);
	return (size_t)nr;
}

/* A server of the device, or NULL */
static struct cow *server(unsigned int number, bool is_up)
{
	struct abuse_params params = { 0 };
	struct target target = {
		.number = number, .size = SIZE, .is_up = is_up, .params = &params,
	};
	void *store;
	char args[160];

	snprintf(args, sizeof(args), "%s:%s", cow_base, cow_delta);
	return backend_cow.open(&target, args, &store) ? NULL : store;
}

static bool is_refused(const unsigned char *what, size_t length)
{
	struct cow *cow;

	leave(what, length);
	cow = server(0, false);
	if (cow)
		cow_abandon(cow);
	return !cow && take_in(found) == length && !memcmp(found, what, length);
}

static int put(struct cow *cow, uint64_t chunk, int byte)
{
	memset(bytes, byte, SECTOR);
	return cow_do(cow, ABUSE_OP_WRITE, 0, chunk * COW_CHUNK, SECTOR, bytes);
}

static int get(struct cow *cow, uint64_t chunk)
{
	int ret = cow_do(cow, ABUSE_OP_READ, 0, chunk * COW_CHUNK, SECTOR, bytes);

	return ret ? ret : bytes[0];
}

static void damaged(void)
{
	static const size_t lengths[] = {
		0, 1, 8, 4095, 4096, 4097, COW_CHUNK, 2 * COW_CHUNK + 1, 4 * COW_CHUNK,
		LENGTH - 1, LENGTH + 1,
	};
	unsigned int i, wrong = 0;

	for (i = 0; i < sizeof(lengths) / sizeof(*lengths); i++)
		ok(is_refused(whole, lengths[i]), "%zu bytes", lengths[i]);
	for (i = 0; i < sizeof(struct cow_header); i += i < 80 ? 1 : 97) {
		whole[i] ^= 1 << i % 8;
		wrong += !is_refused(whole, LENGTH);
		whole[i] ^= 1 << i % 8;
	}
	is(wrong, 0, "a bit that differs, anywhere in the header");
}

/* A header that @edit has made other, with its checksum */
static bool is_taken_with(void (*edit)(struct cow_header *header))
{
	struct cow_header *header = (struct cow_header *)found;
	struct cow *cow;

	memcpy(found, whole, LENGTH);
	edit(header);
	if (header->version != htole32(1))
		header->checksum = htole32(checksum(*header));
	leave(found, LENGTH);
	cow = server(0, false);
	if (cow)
		cow_abandon(cow);
	return cow;
}

static void first_format(struct cow_header *header)
{
	header->version = htole32(1);
	header->length = header->checksum = 0;
}

static void later_format(struct cow_header *header)
{
	header->version = htole32(COW_VERSION + 1);
}

static void compatible(struct cow_header *header)
{
	header->compat = htole64(1ULL << 63);
}

static void incompatible(struct cow_header *header)
{
	header->incompat = htole64(1ULL << 63);
}

static void other_length(struct cow_header *header)
{
	header->length = htole64(LENGTH + COW_CHUNK);
}

static void formats(void)
{
	ok(is_taken_with(first_format), "the format before is read");
	ok(!is_taken_with(later_format), "a later one is not");
	ok(is_taken_with(compatible), "features that need not be known");
	ok(!is_taken_with(incompatible), "features that must be");
	ok(!is_taken_with(other_length), "a length that does not fit the size");
}

static void cut(uint64_t length)
{
	struct cow *cow;
	struct stat st;

	leave(whole, LENGTH);
	cow = server(0, false);
	must(cow, "a server");
	must(!truncate(cow_delta, (off_t)length), "DELTA is cut to %llu bytes",
	     (unsigned long long)length);
	is(get(cow, 1), -EIO, "a read of a chunk that DELTA had");
	is(put(cow, 2, 'x'), -EIO, "a write");
	is(cow_do(cow, ABUSE_OP_WRITE_ZEROES, 0, SIZE - SECTOR, SECTOR, NULL), -EIO, "zeroes");
	is(cow_do(cow, ABUSE_OP_FLUSH, 0, 0, 0, NULL), -EIO, "a flush");
	cow_do(cow, ABUSE_OP_DISCARD, 0, 0, SIZE, NULL);
	must(!stat(cow_delta, &st), "stat");
	is(st.st_size, length, "as long as before");
	must(!truncate(cow_delta, LENGTH), "it is made longer by hand");
	is(put(cow, 2, 'x'), -EIO, "which the server does not trust");
	backend_cow.close(cow, false);
}

static void set_stamp(int byte)
{
	char stamp[COW_BOOT_LEN];
	int fd = open(cow_delta, O_WRONLY | O_CLOEXEC);

	memset(stamp, byte, sizeof(stamp));
	must(!store_write(fd, stamp, cow_stamp(SIZE), sizeof(stamp)), "a stamp");
	close(fd);
}

static void boots(void)
{
	struct cow *cow;

	leave(whole, LENGTH);
	cow = server(0, false);
	must(cow, "a server");
	is(put(cow, 0, 'n'), 0, "a write");
	set_stamp('x');
	ok(!server(0, true), "a server of another boot does not join it");
	is(get(cow, 0), 'n', "what was written is there");
	cow_abandon(cow);
	ok(!server(0, true), "nor does it while the device is up");
	cow = server(0, false);
	must(cow, "a server after a restart");
	is(get(cow, 0), 'b', "begins with what was flushed");
	is(get(cow, 1), 'f', "all of it");
	cow_abandon(cow);
}

int main(void)
{
	static unsigned char base[SIZE];
	struct cow *cow;

	memset(base, 'b', sizeof(base));
	cow_begin(base, sizeof(base));
	cow = server(0, false);
	must(cow, "a server");
	is(put(cow, 1, 'f'), 0, "a write");
	is(cow_do(cow, ABUSE_OP_FLUSH, 0, 0, 0, NULL), 0, "a flush");
	backend_cow.close(cow, false);
	is(take_in(whole), LENGTH, "DELTA has the length that this test says");
	damaged();
	formats();
	cut(0);
	cut(2 * COW_CHUNK);
	cut(5 * COW_CHUNK);
	boots();
	return done();
}
