/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * The content of a log: the requests of a disk, and the epochs that flushes divide it into; and
 * the states of the disk that a power cut can leave. Epoch 0 is the disk before the log,
 * epoch N ends when the Nth flush is completed; what follows the last flush is one more.
 */
#ifndef ABUSECTL_HISTORY_H
#define ABUSECTL_HISTORY_H

#include "log.h"

#include <stddef.h>

struct event {
	struct log_record record;
	uint64_t at;			/* of its bytes in the log */
	char *mark;			/* the text of a LOG_MARK */
};

struct epoch {
	size_t first, end;		/* events; the last one is its flush, if it has one */
	uint64_t durable;		/* what has its place in the log below that was flushed
					 * before the epoch began */
	uint64_t writes, bytes;
	const char *mark;		/* the last one before its end, or NULL */
};

struct history {
	struct log log;
	struct log_header header;
	struct event *events;
	size_t nr_events;
	struct epoch *epochs;		/* nr_epochs + 1: the first is that before the log */
	size_t nr_epochs;
};

/* Reads @path; reports, and returns an exit status. */
int history_open(struct history *history, const char *path);
void history_close(struct history *history);

/*
 * state.c: a disk that a cut leaves.
 *
 * state_begin() makes a folder in @dir for the files of a replay, whose disks begin as @base,
 * or as zeroes if that is NULL. state_make() makes the disk as it is at the end of @epoch
 * with each request done in order; or, if @seed is not NULL, as a cut within @epoch leaves it:
 * what was flushed before is there, and of the rest any part. Epochs do not go backwards.
 * *mark is the last mark before the cut, or NULL. They report, and return an exit status.
 */
struct state {
	const struct history *history;
	char dir[4096];
	char disk[4096 + 8];		/* path */
	int master;			/* the disk with the events before master_end done */
	size_t master_end;
};

int state_begin(struct state *state, const struct history *history, const char *dir,
		const char *base);
int state_make(struct state *state, size_t epoch, const uint64_t *seed, const char **mark);
void state_end(struct state *state);

#endif /* ABUSECTL_HISTORY_H */
