/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * Backends of "abusectl server". A backend opens its store for a
 * device, then serves requests through the callbacks of struct abuse_ops; it
 * knows neither ioctls nor other backends.
 *
 * It owes what <libabuse.h> says of these callbacks: a write is over only when every
 * other server of the device would read it back, so nothing may be cached in this
 * process.
 */
#ifndef ABUSECTL_BACKEND_H
#define ABUSECTL_BACKEND_H

#include "serve/inject.h"

#include <libabuse.h>
#include <pthread.h>
#include <sys/types.h>

/* The device a backend is opened for. */
struct target {
	unsigned int number;
	dev_t disk;		/* number of the block device */
	bool is_up;		/* set up by another: its bytes must be kept */
	bool read_only;
	uint64_t size;		/* in: the device's, or size=, or 0 = not given */
	uint64_t features;	/* in: the backend's; out: what the store can do */
	int fd;			/* control node */
	bool must_be_writable;	/* a key says so */
	bool is_forced;		/* a store that another device has is taken all the same */
	unsigned int connections;	/* at most, or 0 = not given */
	char *label;		/* of the store, ABUSE_STORE_LEN; one that is made may change it */
	/*
	 * The configuration of the device or, if it is not up, that of the keys, of which the backend
	 * may fill in the fields that are 0.
	 */
	struct abuse_params *params;
	/* out: a file that was made for it, to be removed if the device is not set up */
	const char *made;
};

struct backend {
	const char *name;
	const char *args;		/* what follows "NAME:", or NULL */
	const char *summary;
	/*
	 * How its argument may begin, for the shells, where that is no path; what ends
	 * with = has a path behind it. Ends with NULL.
	 */
	const char *const *forms;
	bool has_two_paths;		/* "NAME:PATH:PATH" */
	/*
	 * Of a backend in front of another one, which its argument @args names: what both are
	 * together, with that one as @inner; NULL after reporting.
	 */
	const struct backend *(*compose)(const char *args);
	const struct backend *inner;
	uint64_t features;		/* ABUSE_F_* it can do at best */
	uint32_t server_flags;		/* ABUSE_SERVER_* */
	unsigned int batch;		/* default; 0: that of all */
	bool knows_size;		/* without size= */
	bool has_connections;
	bool is_async;			/* its callbacks never wait */
	bool is_command;		/* its argument is a command line, see words.h */
	bool is_alone;			/* of a device one server is open at a time */
	struct abuse_ops ops;

	/*
	 * Opens the store @args of @target and leaves what the callbacks get
	 * in *store. May fill in target->size, make it read-only and take features
	 * away. Reports its failures and returns an exit status.
	 */
	int (*open)(struct target *target, const char *args, void **store);

	/*
	 * Gets the kernel to move bytes itself from now on, from and to files that are
	 * registered here, or memory that is mapped, so that those that direct_flags
	 * names, ABUSE_SERVER_NO_*, do not come here; -errno: they must. NULL: they
	 * always do. The server is there, its memory locked.
	 */
	int (*direct)(void *store, struct abuse_server *srv);
	uint32_t direct_flags;
	bool redirects;			/* so: the key redirect counts */

	/*
	 * Tells the kernel which bytes lie where in registered files, so that it serves
	 * them alone from now on; -errno: it does not. NULL: that is never known.
	 */
	int (*map)(void *store, struct abuse_server *srv);

	/* @is_gone: the device was reset or removed, and its data is not needed any more. */
	void (*close)(void *store, bool is_gone);

	/*
	 * For those that answer later, all or none: @start begins, returning 0 or
	 * -errno; @is_stuck: nothing will be answered soon; after @quit no request is
	 * touched any more.
	 */
	int (*start)(void *store);
	bool (*is_stuck)(void *store);

	/* A server that has ended well has in truth lost its store; reported. Or NULL */
	bool (*is_lost)(void *store);
	void (*quit)(void *store);
};

extern const struct backend backend_zero, backend_null, backend_mem, backend_file,
	backend_cow, backend_nbd, backend_nbdkit, backend_qemu, backend_record;

/* backend.c: the table, which ends with NULL; the first is the default. */
extern const struct backend *const backends[];

/* By "NAME" or "NAME:ARGS"; leaves ARGS, or NULL, in *args. NULL: none so called. */
const struct backend *backend_find(const char *spec, const char **args);

void backends_help(void);
void backends_complete(const char *word);

/*
 * mem.c: the memory of a device that is to be reset or removed, and has no server that would free it.
 * mem_find() comes before; mem_free() closes what was found, and frees it if the device @is_gone.
 */
struct mem_object {
	int fd;				/* -1: there is none of this user */
	char name[ABUSE_STORE_LEN];
};

void mem_find(unsigned int number, struct mem_object *object);
void mem_free(const struct mem_object *object, bool is_gone);

/*
 * store.c: bytes in a file or shared-memory object, for the backends that keep
 * them there. The argument of the callbacks begins with a struct store.
 */
struct store {
	int fd;
	pthread_mutex_t flushing;	/* guards flush_error */
	int flush_error;
};

void store_init(struct store *store, int fd);
void store_close(struct store *store);

int store_pread(struct abuse_req *req);
int store_pwrite(struct abuse_req *req);
int store_trim(struct abuse_req *req);
int store_zero(struct abuse_req *req);
int store_flush(struct abuse_req *req);

/* The same for bytes elsewhere: all of them, or -errno. Beyond the end is -EIO. */
int store_read(int fd, void *to, uint64_t offset, uint64_t length);
int store_write(int fd, const void *from, uint64_t offset, uint64_t length);
int store_allocate(int fd, uint64_t offset, uint64_t length);
int store_punch(int fd, uint64_t offset, uint64_t length);
int store_clear(int fd, uint64_t offset, uint64_t length, bool unmap);
int store_sync(struct store *store);

/*
 * store-file.c: the files and block devices that hold them.
 */

/* Opens @path with @flags. A descriptor, -1 after reporting, or -2: it may be made. */
int store_file_open(const struct target *target, const char *path, int flags);

/* A new name is on disk only when its directory is. 0, or -1 with errno. */
int store_file_sync_name(const char *path);

/* Was @fd left by a process that died while it made the file? */
bool store_file_is_unfinished(const struct target *target, int fd);

/*
 * Makes @path, or what is there of it, @size bytes long and durable; the descriptor, or
 * -1 after reporting.
 */
int store_file_create(const char *path, uint64_t size, bool is_there);

/*
 * Leaves in *size how large @fd is. Reports what cannot serve as a store of @target,
 * and returns an exit status.
 */
int store_file_check(const struct target *target, const char *path, int fd,
		     uint64_t *size);

/* Can its file system punch holes? Asked beyond the end, @size. */
bool store_file_punches(int fd, uint64_t size);

/*
 * @fd opened once more, with @flags, for redirects. The kernel reports a failed
 * write-back once to each open file: a write with FUA that it does must not take that
 * away from our next flush. A descriptor, or -1.
 */
int store_file_again(int fd, int flags);

/*
 * store-lock.c: no two devices have one store. Locks the open file @fd for as long as any
 * descriptor of it is open. Waits a moment for servers that are about to end; reports what
 * device has the store, and returns an exit status.
 */
int store_lock(const struct target *target, const char *path, int fd, bool is_writer);

/* The same store through another open file, which may be kept when that one is closed */
void store_lock_again(const struct target *target, int fd, bool is_writer);

/* Has another server it, of this device or any, that writes? Then *number is its device. */
bool store_is_locked(int fd, unsigned int *number);

/*
 * Has the kernel serve the first @size bytes of @srv's disk from the file registered as @index,
 * at their place, but for the rest of a sector; 0 or -errno.
 */
int store_file_map(struct abuse_server *srv, int index, uint64_t size, uint32_t rights);

/* The rights for a file that holds the disk @fd, @size bytes, as its backend can do @features. */
uint32_t store_file_rights(int fd, uint64_t size, bool read_only, uint64_t features);

/*
 * workers.c: the server's threads. Serves until a signal ends it or the device goes;
 * returns an exit status, with *is_gone telling whether the device went.
 */
struct serving {
	unsigned int number;
	int fd;
	uint64_t size;
	const char *spec;		/* the backend as it was given */
	const struct backend *backend;
	void *store;
	unsigned int nr_workers;
	unsigned int batch;
	unsigned int spin;		/* nanoseconds */
	unsigned int redirect;		/* 1: if the backend and the kernel can */
	unsigned int map;		/* likewise */
	unsigned int connections;
	struct inject inject;
	bool verbose;
	bool is_root_storage;		/* has the root file system; see serve/leave.h */
	const char *pid_file;		/* absolute, or NULL */
	bool is_silent;			/* prints no line of its own */
	void (*greet)(const struct serving *serving, void *arg);	/* it serves */
	void *greet_arg;
};

/*
 * open.c: opens a server of the library with so many queues, of which threads or loops serve each, for
 * a device that is up; 0 or -errno. @flags: ABUSE_SERVER_*, beside those of the backend.
 */
int serving_open(const struct serving *serving, const struct abuse_ops *ops, unsigned int nr_queues,
		 uint32_t flags, struct abuse_server **srv);

/* *has_served: it came so far. */
int workers_run(const struct serving *serving, bool *has_served, bool *is_gone);

#endif /* ABUSECTL_BACKEND_H */
