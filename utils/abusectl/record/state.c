// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (C) 2026 the abuse authors
/*
 * Builds the disks that a power cut can leave; see history.h. The master has what is durable in
 * all states still to come; each state is a copy of it with some of the rest.
 *
 * The freedom of a disk with a volatile cache: of requests that no flush covers it stores any
 * block or none, and where two overlap the later one wins if both are stored. A request with
 * FUA is stored.
 */
#include "backends/backend.h"
#include "cmd.h"
#include "history.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIECE	(128 * 1024)

/* ---- random numbers: those of one state, whatever was made before ---- */

static uint64_t next_random(uint64_t *random)
{
	uint64_t z = *random += 0x9e3779b97f4a7c15;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

static bool happens(uint64_t *random, unsigned int percent)
{
	return next_random(random) % 100 < percent;
}

/* ---- requests ---- */

static int copy_bytes(int from, uint64_t at, int to, uint64_t offset, uint64_t length)
{
	char bytes[PIECE];
	uint64_t nr;
	int ret = 0;

	for (; length && !ret; at += nr, offset += nr, length -= nr) {
		nr = length < PIECE ? length : PIECE;
		ret = store_read(from, bytes, at, nr);
		if (!ret)
			ret = store_write(to, bytes, offset, nr);
	}
	return ret;
}

/* @length bytes of @event from @skip on */
static int do_part(const struct state *state, int fd, const struct event *event, uint64_t skip,
		   uint64_t length)
{
	uint64_t offset = event->record.offset + skip;

	if (event->record.op == LOG_WRITE)
		return copy_bytes(state->history->log.fd, event->at + skip, fd, offset, length);
	return store_clear(fd, offset, length, true);
}

static bool changes_disk(const struct event *event)
{
	return event->record.op == LOG_WRITE || event->record.op == LOG_ZERO ||
	       event->record.op == LOG_DISCARD;
}

static int do_all(const struct state *state, int fd, const struct event *event)
{
	return changes_disk(event) ? do_part(state, fd, event, 0, event->record.length) : 0;
}

/* Block by block; what is zeroed may be large, and is cut once. */
static int do_some(const struct state *state, int fd, const struct event *event,
		   uint64_t *random)
{
	uint64_t length = event->record.length, block = state->history->header.block_size;
	uint64_t at = 0, nr;
	int ret = 0;

	if (event->record.op != LOG_WRITE) {
		nr = next_random(random) % (length / block + 1) * block;
		return happens(random, 50) ? do_part(state, fd, event, 0, nr) :
					     do_part(state, fd, event, nr, length - nr);
	}
	for (; at < length && !ret; at += nr) {
		nr = length - at < block ? length - at : block;
		if (happens(random, 50))
			ret = do_part(state, fd, event, at, nr);
	}
	return ret;
}

/* One that no flush covers. */
static int do_perhaps(const struct state *state, int fd, const struct event *event,
		      unsigned int percent, uint64_t *random)
{
	bool is_kept = happens(random, percent);
	bool is_torn = happens(random, 15);

	if (!changes_disk(event))
		return 0;
	if (event->record.flags & LOG_FUA)
		return do_all(state, fd, event);
	if (is_torn && !(event->record.flags & LOG_ATOMIC))
		return do_some(state, fd, event, random);
	return is_kept ? do_all(state, fd, event) : 0;
}

/* ---- states ---- */

/* Copies what is no hole, of a block device all; at once if the file system shares blocks. */
static int copy_file(int from, int to, uint64_t size)
{
	off_t data = 0, hole;
	struct stat st;
	int ret = 0;

	if (!ioctl(to, FICLONE, from))
		return 0;
	if (ftruncate(to, 0) || ftruncate(to, (off_t)size))
		return -errno;
	if (!fstat(from, &st) && S_ISBLK(st.st_mode))
		return copy_bytes(from, 0, to, 0, size);
	while (!ret && (data = lseek(from, data, SEEK_DATA)) >= 0) {
		hole = lseek(from, data, SEEK_HOLE);
		ret = copy_bytes(from, (uint64_t)data, to, (uint64_t)data,
				 (uint64_t)(hole - data));
		data = hole;
	}
	return ret || errno == ENXIO ? ret : -errno;
}

static int copy_base(const struct state *state, const char *base)
{
	uint64_t size = state->history->header.size;
	int fd, ret;

	if (!base)
		return EXIT_OK;
	fd = open(base, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return failed(base, "cannot be read: %s", strerror(errno));
	if (lseek(fd, 0, SEEK_END) == (off_t)size)
		ret = copy_file(fd, state->master, size);
	else
		ret = -EINVAL;
	close(fd);
	if (ret == -EINVAL)
		return failed(base, "is not as large as the disk that was recorded, %llu bytes",
			      (unsigned long long)size);
	return ret ? failed(base, "cannot be copied: %s", strerror(-ret)) : EXIT_OK;
}

static int open_new(const struct state *state, const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd >= 0 && ftruncate(fd, (off_t)state->history->header.size)) {
		close(fd);
		return -1;
	}
	return fd;
}

int state_begin(struct state *state, const struct history *history, const char *dir,
		const char *base)
{
	char path[sizeof(state->disk)];
	int ret;

	*state = (struct state){ .history = history, .master = -1 };
	snprintf(state->dir, sizeof(state->dir), "%s/abuse-replay-XXXXXX", dir);
	if (!mkdtemp(state->dir))
		return failed(dir, "no folder can be made there: %s", strerror(errno));
	snprintf(state->disk, sizeof(state->disk), "%s/disk", state->dir);
	snprintf(path, sizeof(path), "%s/master", state->dir);
	state->master = open_new(state, path);
	ret = state->master < 0 ? failed(path, "cannot be made: %s", strerror(errno)) :
				  copy_base(state, base);
	unlink(path);
	if (ret)
		state_end(state);
	return ret;
}

void state_end(struct state *state)
{
	if (state->master >= 0)
		close(state->master);
	unlink(state->disk);
	rmdir(state->dir);
}

/* The master gets what comes before @end. */
static int advance(struct state *state, size_t end)
{
	int ret = 0;

	for (; state->master_end < end && !ret; state->master_end++)
		ret = do_all(state, state->master, &state->history->events[state->master_end]);
	return ret;
}

/* Event of the first that is not known to be durable when @epoch begins */
static size_t first_doubtful(const struct history *history, const struct epoch *epoch)
{
	size_t i = epoch->first;

	while (i && history->events[i - 1].at >= epoch->durable + sizeof(struct log_record))
		i--;
	return i;
}

static int make_cut(struct state *state, int fd, const struct epoch *epoch, size_t from,
		    uint64_t random, const char **mark)
{
	static const unsigned int percents[] = { 0, 20, 50, 80, 97 };
	const struct history *history = state->history;
	bool has_flush = history->events[epoch->end - 1].record.op == LOG_FLUSH;
	size_t nr = epoch->end - epoch->first + !has_flush;
	size_t end = epoch->first + next_random(&random) % nr;
	unsigned int percent = percents[next_random(&random) % 5];
	size_t i;
	int ret = 0;

	for (i = from; i < end && !ret; i++)
		ret = do_perhaps(state, fd, &history->events[i], percent, &random);
	for (; end; end--)
		if (history->events[end - 1].record.op == LOG_MARK) {
			*mark = history->events[end - 1].mark;
			break;
		}
	return ret;
}

int state_make(struct state *state, size_t number, const uint64_t *seed, const char **mark)
{
	const struct epoch *epoch = &state->history->epochs[number];
	bool is_cut = seed && epoch->end > epoch->first;
	size_t from = is_cut ? first_doubtful(state->history, epoch) : epoch->end;
	int fd, ret = advance(state, from);

	unlink(state->disk);
	fd = ret ? -1 : open_new(state, state->disk);
	if (!ret)
		ret = fd < 0 ? -errno : copy_file(state->master, fd, state->history->header.size);
	*mark = is_cut ? NULL : epoch->mark;
	if (!ret && is_cut)
		ret = make_cut(state, fd, epoch, from, *seed ^ (uint64_t)number << 32, mark);
	if (fd >= 0)
		close(fd);
	return ret ? failed(state->disk, "cannot be made: %s", strerror(-ret)) : EXIT_OK;
}
