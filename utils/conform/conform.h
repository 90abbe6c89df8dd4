/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * abuse-conform: a server under test, the I/O that it has to serve, and the promises that are
 * tried with these. server.c, store.c, io.c, size.c and promises.c; main.c runs the table of promises.
 */
#ifndef ABUSE_CONFORM_H
#define ABUSE_CONFORM_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* The device of a run, and what is tried on it. */
struct subject {
	char **command;			/* {} in its words is the number of the device, HOLD_* its store */
	unsigned int number;
	int node, disk;			/* descriptors of the control node and of the disk */
	uint64_t size;			/* bytes of the disk, at most what is tried */
	uint64_t whole_size;
	unsigned int block;		/* logical block size, bytes */
	unsigned int seconds;		/* that a server may take for a step */
	unsigned int kills;
	uint64_t seed;
	pid_t server;
	unsigned long moves;		/* completed requests, and promises begun */
	char detail[256];		/* of the last verdict */
};

enum verdict { KEPT, BROKEN, NOT_TRIED };

struct promise {
	const char *name;
	enum verdict (*try)(struct subject *subject);
};

extern const struct promise promises[];		/* ends with a NULL name */

#define HOLD_NUMBER	"{}"
#define HOLD_DISK	"{store}"
#define HOLD_FOLDER	"{dir}"
bool command_has(const struct subject *subject, const char *holder);

/* main.c: devices. They return 0 or -errno, and have said why. */
int device_make(unsigned int *number, int *node);
void device_drop(unsigned int number, int node);
int subject_open_disk(struct subject *subject);

/* Leaves the reason, and returns the verdict. */
enum verdict say(struct subject *subject, enum verdict verdict, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* server.c: processes. They return 0 or -errno; -ECHILD: the server has ended by itself. */
pid_t server_start(const struct subject *subject);
int server_await_ready(const struct subject *subject, pid_t pid);
int server_await_end(const struct subject *subject, pid_t pid, int *status);
void server_kill(pid_t pid);
bool server_has_ended(pid_t pid);

/* store.c: a disk on which the server may keep its bytes; functions return 0 or -errno. */
int store_begin(const struct subject *subject, bool has_folder);
void store_end(void);
bool store_is_there(void);
const char *store_disk(void);
const char *store_folder(void);
/* The server, and what is set up on it, has ended. After store_power_off() it has what was flushed before. */
int store_restart(const struct subject *subject);
void store_power_off(void);
/* From now on, which of its requests fail. */
void store_fail(bool reads, bool writes);
/* Reads reach it again. */
void store_forget_cache(void);

/* size.c */
enum verdict try_size(struct subject *subject);

/*
 * io.c: blocks of 4096 bytes, each of which says its place and version, and what versions they
 * must have. Threads write and read parts of their own.
 */
struct io;
struct io *io_new(struct subject *subject);
void io_free(struct io *io);

/* Threads that go on until io_stop(), which returns how many requests were wrong or failed. */
int io_start(struct io *io);
unsigned long io_done(const struct io *io);
unsigned long io_stop(struct io *io);

/* One after another: @nr writes of any size and place. How many went wrong */
unsigned long io_write(struct io *io, unsigned int nr);
/* Blocks that are not as they must be; reads all. */
unsigned long io_verify(struct io *io);
/* The blocks from @first on are zeroes, or if @is_known is false anything. */
void io_forget(struct io *io, uint64_t first, uint64_t nr, bool is_known);
/* Blocks that were written after io_mark() may have anything. */
uint32_t io_mark(const struct io *io);
void io_forget_since(struct io *io, uint32_t mark);
/* Requests may fail: these are counted, and nothing else. */
void io_let_fail(struct io *io, bool may_fail);
unsigned long io_failed(const struct io *io);
/* Like io_verify(), without blocks that may have anything. */
unsigned long io_verify_known(struct io *io);
uint64_t io_blocks(const struct io *io);
const char *io_trouble(const struct io *io);

#endif /* ABUSE_CONFORM_H */
