/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * The log of a recorded disk: a header, then records in the order in which requests were
 * completed. Several processes may append to one log, and each may be killed at any
 * instant: the header names the end of the last whole record, and moves last.
 * Numbers have the byte order of the machine.
 */
#ifndef ABUSECTL_LOG_H
#define ABUSECTL_LOG_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define LOG_MAGIC	"abuselog"
#define LOG_VERSION	1
#define LOG_MARK_MAX	4096

struct log_header {
	char magic[8];
	uint32_t version;
	uint32_t block_size;		/* bytes that a disk stores whole or not at all */
	uint64_t size;			/* of the disk, bytes */
	uint64_t end;			/* of the last record */
	uint64_t reserved[4];
};

enum log_op { LOG_WRITE = 1, LOG_ZERO, LOG_DISCARD, LOG_FLUSH, LOG_MARK };

#define LOG_FUA		(1U << 0)	/* was durable when it was completed */
#define LOG_ATOMIC	(1U << 1)	/* is stored as a whole */

/* Behind it are the bytes of a LOG_WRITE, or the text of a LOG_MARK. */
struct log_record {
	uint32_t op, flags;
	uint64_t offset, length;	/* on the disk, bytes */
	uint64_t begun;			/* LOG_FLUSH: records before this place are durable */
	uint64_t time;			/* CLOCK_REALTIME, nanoseconds */
};

struct log {
	int fd;
	pthread_mutex_t lock;		/* of threads; a lock of the file is that of processes */
};

/*
 * log_create() makes @path, which must not be there; log_open() opens one that is, with
 * O_RDONLY or O_RDWR as @flags. A failure is 0 - errno; -EINVAL: it is no log.
 */
int log_create(struct log *log, const char *path, uint64_t size, uint32_t block_size);
int log_open(struct log *log, const char *path, int flags, struct log_header *header);
void log_close(struct log *log);

/* Where the next record will be: what was appended before has its place below that. */
int log_end(struct log *log, uint64_t *end);

/* Appends @record with @bytes: as many as its length if @has_bytes. 0 or -errno. */
int log_append(struct log *log, struct log_record *record, const void *bytes,
	       bool has_bytes);

/* Bytes that follow @record in the log */
static inline uint64_t log_payload(const struct log_record *record)
{
	return record->op == LOG_WRITE || record->op == LOG_MARK ? record->length : 0;
}

/*
 * Reads the record at *@at and moves *@at behind it. 1, 0 at @end, or -errno; -EINVAL: the
 * record makes no sense. Its bytes begin at *@at - log_payload().
 */
int log_next(const struct log *log, uint64_t *at, uint64_t end, struct log_record *record);

#endif /* ABUSECTL_LOG_H */
