/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * libabuse: control abuse devices and serve them, without knowing ioctls.
 *
 * Functions return 0 (or the value that their comment names) on success and -errno on failure; none
 * prints or exits. Three parts: control commands (ctl.c), finding devices
 * (dev.c), serving (server.c, threads.c, loops.c, files.c). A server of one screen
 * needs the last alone: a struct abuse_ops, abuse_server_open, abuse_server_run.
 *
 * All releases 0.x share one ABI, that of libabuse.so.0: functions are added and
 * keep what they mean. These structs may grow: abuse_dev, abuse_ops,
 * abuse_config and abuse_counts, into the space that each reserves: programs
 * leave it zero, and the sizes stay; abuse_req at its end, since programs make none.
 * Structs of <linux/abuse.h> grow by its rules.
 */
#ifndef LIBABUSE_H
#define LIBABUSE_H

/* As installed, it lies beside this header, so a program finds it without a flag. */
#if __has_include("libabuse/linux/abuse.h")
#include "libabuse/linux/abuse.h"
#else
#include <linux/abuse.h>
#endif
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

/*
 * Version of the interface that this header declares: the second number grows with each function that is added.
 * abuse_version() returns the version of the project. The two are not comparable.
 */
#define LIBABUSE_VERSION_MAJOR	0
#define LIBABUSE_VERSION_MINOR	2

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

/* ---- reason.c: what went wrong --------------------------------------------- */

/* abuse_version() - the version of the project from which the running library was built: "0.1.0"; static */
const char *abuse_version(void);

/*
 * abuse_reason() - why the last call of this thread failed, in words
 *
 * One line without a line feed, "" if there is nothing to say beyond the error number. Written by abuse_server_open(),
 * _start(), _wait(), _run(), _dispatch() and _add_file(), and by abuse_map(). It stays valid until the next of these
 * calls of the same thread.
 */
const char *abuse_reason(void);

/* ---- ctl.c: a function per control command ------------------------------ */

/*
 * Some functions take structs that grow. A program gets these functions inline, at the end of this header: they pass the
 * sizes that the program was compiled with to the functions named ..._sized, so a newer library neither reads nor writes
 * beyond them. Other languages call the latter; a size is that of the C struct, in bytes.
 *
 * abuse_ctl_add_sized() - abuse_ctl_add() with the size of struct abuse_add
 * abuse_ctl_add_open_sized() - abuse_ctl_add_open() with the sizes of both structs
 * abuse_ctl_get_params_sized() - abuse_ctl_get_params() with the size of struct abuse_params
 * abuse_ctl_set_params_sized() - abuse_ctl_set_params() likewise
 * abuse_ctl_map_sized() - abuse_ctl_map() with the size of struct abuse_map_entry
 * abuse_ctl_get_map_sized() - abuse_ctl_get_map() likewise
 */
int abuse_ctl_add_sized(struct abuse_add *add, size_t size);
int abuse_ctl_add_open_sized(struct abuse_add *add, size_t size, struct abuse_params *params, size_t params_size);
int abuse_ctl_get_params_sized(int fd, struct abuse_params *params, size_t size);
int abuse_ctl_set_params_sized(int fd, struct abuse_params *params, size_t size);
int abuse_ctl_map_sized(int fd, const struct abuse_map_entry *entries, unsigned int nr, size_t size);
int abuse_ctl_get_map_sized(int fd, uint64_t sector, struct abuse_map_entry *entries, unsigned int nr, size_t size);

/*
 * abuse_ctl_add() - make a device
 * @add: number (or ABUSE_NUMBER_ANY), name and the rest; size is filled in here
 *
 * Leaves the number of the new device in @add->number. This function and the next two open
 * /dev/abuse-control, and return the errors of open(2) and of the call.
 */

/*
 * abuse_ctl_add_open() - make a device, configure it and open its control node, in one call
 * @add: as above; its flag OPEN and the address of @params are filled in here
 * @params: as for abuse_ctl_set_params(), or NULL: the device is not configured
 *
 * Returns the descriptor, which needs no node in /dev and is closed on exec. After an error there is
 * no device. -EOPNOTSUPP: the module is too old.
 */

/* abuse_ctl_remove() - remove device @number; -EBUSY while its disk is open */
int abuse_ctl_remove(unsigned int number);

/* abuse_ctl_get_free() - the number of an unconfigured device, added if there is none */
int abuse_ctl_get_free(void);

/*
 * The other functions of this part are for the device whose control node is @fd; abuse(4) has the values and errors
 * of each call.
 */

/* abuse_ctl_get_status() - the state of a device, in the struct of 2009 */
int abuse_ctl_get_status(int fd, struct abuse_info *info);

/* abuse_ctl_set_status() - configure a device as in 2009, or reconnect; -EBUSY if it is up */
int abuse_ctl_set_status(int fd, const struct abuse_info *info);

/*
 * abuse_ctl_get_params() - all the parameters of a device
 *
 * Fields that an older module does not know are 0. The function fills in the size.
 */

/*
 * abuse_ctl_set_params() - configure an unconfigured device, or change one that is up
 *
 * The function fills in the size. -EPERM: only CAP_SYS_ADMIN may seal.
 */

/* abuse_ctl_set_poll() - which requests make @fd readable: mode 0 or 1 */
int abuse_ctl_set_poll(int fd, unsigned int mode);

/* abuse_ctl_reset() - complete every request with EIO and make the device unconfigured */
int abuse_ctl_reset(int fd);

/* abuse_ctl_get_bio() - the oldest request, which stays queued; -ENOMSG if there is none */
int abuse_ctl_get_bio(int fd, struct abuse_xfr_hdr *hdr);

/* abuse_ctl_put_bio() - complete a request of abuse_ctl_get_bio() */
int abuse_ctl_put_bio(int fd, struct abuse_xfr_hdr *hdr);

/*
 * abuse_ctl_map() - MAP: have the kernel serve ranges of the disk from files, or no more
 * @entries: @nr of them, at most 512; files as REGISTER_FILE called them on @fd
 *
 * See abuse_map().
 */

/*
 * abuse_ctl_get_map() - GET_MAP: what is mapped from @sector on
 *
 * Fills in at most @nr @entries, and returns how many.
 */

/* ---- dev.c: finding devices and their nodes ------------------------------ */

#define ABUSE_MAX_NUMBER	((1U << 20) - 1)
#define ABUSE_UUID_TEXT		37	/* with the final 0 */

/* The state of a device in sysfs; a missing attribute reads as 0 or "". */
struct abuse_dev {
	uint64_t number;
	uint64_t size;			/* bytes */
	char	 state[8];		/* empty (unconfigured), up, dying */
	char	 name[ABUSE_NAME_LEN];
	char	 uuid[ABUSE_UUID_TEXT];
	uint64_t owner;			/* uid */
	uint64_t trusted;
	uint64_t ready;			/* a server has waited since configuration, and one is alive */
	uint64_t read_only;
	uint64_t block_size;		/* logical */
	uint64_t queue_limit;
	uint64_t hw_queues;
	uint64_t depth;
	uint64_t queued;		/* requests that no server holds */
	uint64_t held;			/* requests that servers hold */
	uint64_t served;
	uint64_t errors;
	uint64_t returned;		/* by servers that died */
	uint64_t oldest_ms;		/* age of the oldest request */
	uint64_t servers;		/* live descriptors that serve it */
	uint64_t admitted;		/* root may open the disk */
	uint64_t reserved[6];
};

/* abuse_dev_is_loaded() - is the module loaded? */
bool abuse_dev_is_loaded(void);

/* abuse_dev_stat() - fill @dev from sysfs, opening no node; -ENODEV */
int abuse_dev_stat(unsigned int number, struct abuse_dev *dev);

/*
 * abuse_dev_each() - call @fn for every device, by number, until one returns
 * other than 0, which is then returned; -ENODEV when the module is not loaded
 */
int abuse_dev_each(int (*fn)(const struct abuse_dev *dev, void *arg), void *arg);

/*
 * abuse_dev_find() - the number that @text names
 * @text: a number, abuseN or abctlN, the path of either node or of a link to
 *	  it, or a device's name
 *
 * -ENODEV if nothing has this name, -EINVAL if it is the path of something else. The device of a number
 * need not exist: abuse_dev_open() fails then.
 */
int abuse_dev_find(const char *text);

/*
 * abuse_dev_admit() - let root open a user's disk, or refuse it again
 *
 * -EPERM or -EACCES without CAP_SYS_ADMIN, -ENXIO if the device is not up, -EINVAL if @admit is false and no
 * user owns the disk, -ENODEV, -EOPNOTSUPP if the module cannot refuse root.
 */
int abuse_dev_admit(unsigned int number, bool admit);

/* abuse_dev_open() - open the control node of the device that @text names, see abuse_dev_find(); returns a descriptor */
int abuse_dev_open(const char *text);

/* ---- server.c: a device served by callbacks -------------------------------- */

/*
 * A request, as a callback gets it. The callback owns it until it returns a result or, after ABUSE_ASYNC, until
 * abuse_req_done(). It never copies or frees it.
 */
struct abuse_server;

struct abuse_req {
	void	 *arg;			/* of struct abuse_config */
	void	 *data;			/* pread: where bytes go; pwrite: the bytes */
	uint64_t offset;		/* bytes */
	uint64_t length;		/* bytes */
	uint32_t op;			/* ABUSE_OP_* */
	uint32_t flags;			/* ABUSE_REQ_* */
	void	 *priv[2];		/* for the callback alone, undefined at first */
	uint32_t ioprio;		/* of the submitter, as ioprio_get(2) returns it */
	uint32_t write_hint;		/* RWH_* of fcntl(2); 0: none */
};

/*
 * The callbacks of a server. The return value of a callback completes the request:
 *
 *   0			done
 *   -errno		failed; EDQUOT and EFBIG become ENOSPC, others that the kernel does not allow here EIO
 *   ABUSE_ZEROES	pread: zeroes; data is ignored
 *   ABUSE_ASYNC	not complete yet: the program calls abuse_req_done() once, now or later
 *
 * Anything else fails the request with EIO. Callbacks of different threads
 * run at the same time.
 *
 * If a callback is missing, its requests fail with EIO (pread, pwrite) or EOPNOTSUPP (trim, zero), or succeed (flush).
 *
 * pwrite stores its data where every other server of the device reads it, before it returns 0, or lets the kernel
 * store it (abuse_req_store(), abuse_req_redirect()).
 *
 * flush makes all data durable that any server has stored before. It is called for FLUSH, after a pwrite or zero with
 * ABUSE_REQ_FUA and, on a device without a write cache, after every pwrite and zero; these complete after it. One call
 * may cover several requests: @req is one of them. With ABUSE_SERVER_FUA, pwrite and zero make their data durable
 * themselves if @req->flags has ABUSE_REQ_FUA.
 *
 * zero must not deallocate if ABUSE_REQ_NOUNMAP is in @req->flags.
 */
#define ABUSE_ZEROES	1
#define ABUSE_ASYNC	2

struct abuse_ops {
	int (*pread)(struct abuse_req *req);
	int (*pwrite)(struct abuse_req *req);
	int (*trim)(struct abuse_req *req);
	int (*zero)(struct abuse_req *req);
	int (*flush)(struct abuse_req *req);
	/*
	 * release: neither the kernel nor the library uses the memory any more that abuse_req_point() or abuse_req_store()
	 * named for @req, so it may be unmapped or overwritten. @req->arg and @req->priv are as the callback left them;
	 * the rest of @req is undefined. The thread that sent the reply calls it, once for each such request; not for
	 * requests that are incomplete at abuse_server_free(), after which all memory is free.
	 */
	void (*release)(struct abuse_req *req);
	/*
	 * thread_begin, thread_end: each thread that abuse_server_start() makes calls them, before and after all other
	 * callbacks, with @arg of struct abuse_config. For languages that must register their threads.
	 */
	void (*thread_begin)(void *arg);
	void (*thread_end)(void *arg);
	/*
	 * debug: reports rare events (a thread ends, the kernel refused a reply), each as a line without a line feed. @message
	 * is valid during the call only. Any thread may call it.
	 */
	void (*debug)(void *arg, const char *message);
	void (*reserved[4])(void);	/* NULL */
};

/*
 * abuse_req_done() - complete a request whose callback returned ABUSE_ASYNC
 * @result: as a callback returns it, but not ABUSE_ASYNC
 *
 * From any thread, also before the callback returns; takes no lock, never waits. The thread that fetched the request
 * sends the reply, and is woken if it sleeps. The request must not be used after this returns 0.
 *
 * -EALREADY: it was completed before. -EINVAL: @result is invalid; the request fails with EIO.
 */
int abuse_req_done(struct abuse_req *req, int result);

/*
 * abuse_req_point() - complete a READ with bytes that are in memory already
 * @bytes: @req->length of them; they stay the caller's
 *
 * Use it instead of filling @req->data: the kernel copies from @bytes. Takes effect when the request completes with 0. May
 * be called from any thread that may complete the request.
 *
 * The bytes must stay mapped until abuse_ops.release is called for @req, or until abuse_server_free() if there is no such
 * callback. Until then only writes to the disk may change them. If a part of the memory is missing, for example because
 * the file was truncated, the request fails with EIO, and no signal is raised. Reading a hole of a mapped file fills it.
 *
 * -EOPNOTSUPP: it is no READ. -EINVAL: @bytes is NULL. -EALREADY: it was completed before.
 */
int abuse_req_point(struct abuse_req *req, const void *bytes);

/*
 * abuse_req_gather() - complete a READ with bytes from several addresses
 * @pieces: @nr pieces, @req->length bytes in all; they are copied to @req->data before this returns
 *
 * -EOPNOTSUPP: it is no READ, has no data (ABUSE_SERVER_NO_READ_DATA), or abuse_req_point() was called.
 * -EINVAL: the pieces are not @req->length bytes. -EALREADY: it was completed before.
 */
int abuse_req_gather(struct abuse_req *req, const struct iovec *pieces, unsigned int nr);

/* abuse_req_server() - the server that a callback's request belongs to */
struct abuse_server *abuse_req_server(const struct abuse_req *req);

/*
 * abuse_req_store() - let the kernel store the data of a WRITE in memory
 * @place: memory of @req->length bytes; it stays the caller's
 *
 * Use it instead of copying @req->data, which may be NULL (ABUSE_SERVER_NO_WRITE_DATA). Takes effect when the request
 * completes with 0: the write succeeds when all bytes are stored. May be called from any thread that may complete the
 * request.
 *
 * @place stays mapped as long as the bytes of abuse_req_point(). It is memory that every other server reads: shared
 * memory or a mapped file. If a part of it is missing, the request fails with EIO after some bytes were stored, and no
 * signal is raised.
 *
 * -EOPNOTSUPP: it is no WRITE; or it has ABUSE_REQ_ATOMIC; or it has ABUSE_REQ_FUA, because the data cannot be made
 * durable before the request completes; or the kernel lacks ABUSE_F_STORE. Then copy @req->data yourself. On a device
 * without a write cache all WRITEs have ABUSE_REQ_FUA if there is a flush or ABUSE_SERVER_FUA. So to serve a mapped file
 * whose data must be durable, set params.features to ABUSE_F_WRITE_CACHE without ABUSE_F_FUA. -EINVAL: @place is NULL.
 * -EALREADY: it was completed before.
 */
int abuse_req_store(struct abuse_req *req, void *place);

/*
 * abuse_req_redirect() - let the kernel execute a request on a registered file
 * @file: what abuse_server_add_file() returned
 * @offset: bytes; ignored for FLUSH
 *
 * Takes effect when the request completes with 0; its data does not pass through this process. A redirected flush
 * cannot complete FUA writes (they fail with EIO), so set ABUSE_SERVER_FUA. If the device has no write cache and the data
 * must be durable, open the file O_DSYNC.
 *
 * -EOPNOTSUPP: the kernel lacks ABUSE_F_REDIRECT, or the request has ABUSE_REQ_ATOMIC: execute it yourself.
 * -EALREADY: it was completed before.
 */
int abuse_req_redirect(struct abuse_req *req, unsigned int file, uint64_t offset);

/* abuse_config.flags */
#define ABUSE_SERVER_ADD	(1U << 0)  /* add the device if it is missing */
#define ABUSE_SERVER_FUA	(1U << 1)  /* pwrite and zero obey ABUSE_REQ_FUA */
#define ABUSE_SERVER_NO_READ_DATA  (1U << 2)  /* pread never fills data */
#define ABUSE_SERVER_NO_WRITE_DATA (1U << 3)  /* pwrite never reads data */
#define ABUSE_SERVER_NO_LOCK	(1U << 4)  /* leave memory unlocked */
#define ABUSE_SERVER_NO_SPIN	(1U << 5)  /* sleep at once, whatever spin says */

#define ABUSE_MAX_THREADS	64
#define ABUSE_MAX_SPIN		1000000	/* nanoseconds */
#define ABUSE_DEFAULT_SPIN	50000	/* nanoseconds; 200000 gained nothing (tests/bench/README.md) */

/* To begin, set device, ops and, to configure a device, params.capacity; leave the rest 0. */
struct abuse_config {
	const struct abuse_ops *ops;	/* copied */
	void *arg;			/* for the callbacks */
	const char *device;		/* see abuse_dev_find(); NULL: that of fd, or
					 * without fd any free device */
	int fd;				/* descriptor of the control node; the library
					 * does not close it; 0 or -1: none */
	uint32_t flags;			/* ABUSE_SERVER_* */
	/*
	 * Configuration for a device that is unconfigured; features 0: they follow from ops. If the device is
	 * up, the values given here must be its own; queue_limit and timeout may differ, and then change. NULL: it
	 * must be up.
	 */
	const struct abuse_params *params;
	unsigned int threads;		/* or event loops; default 1, at most 64 */
	unsigned int depth;		/* requests that each holds at most, 1 to 256;
					 * default 16 */
	uint64_t buffer;		/* bytes that each has for data; default and least
					 * twice the largest request; more lets more
					 * be in flight at once */
	uint64_t spin;			/* nanoseconds, at most, to busy-poll before
					 * sleeping, up to 1 ms; default
					 * ABUSE_DEFAULT_SPIN; event loops ignore it */
	uint64_t stack_size;		/* bytes of the stack of each thread of the library: 64 KiB to 1 GiB;
					 * default 256 KiB, which is little for an interpreter */
	uint64_t reserved[7];		/* 0 */
};

/*
 * abuse_server_open() - get a device, and everything needed to serve it
 * abuse_server_open_sized() - the same with the sizes of both structs, as above
 *
 * Finds, opens or adds the device, and configures it if it is unconfigured. If it is up, this server fetches the requests
 * that a dead server held. Servers that start at the same moment configure one after another. All memory is allocated
 * here. The process becomes an I/O flusher (needs CAP_SYS_RESOURCE). Without ABUSE_SERVER_NO_LOCK its memory is locked:
 * with CAP_IPC_LOCK or without a limit (RLIMIT_MEMLOCK), all that it has mapped and will map; else only the library's
 * buffers and stacks, as far as the limit allows, so that malloc(3) and pthread_create(3) go on to work.
 * abuse_server_holds() returns which of these steps succeeded. A program that gives CAP_IPC_LOCK up afterwards cannot map
 * more than its limit. A child inherits no locks: call fork(2) or daemon(3) before, else abuse_server_start() locks again.
 * Nothing is served yet.
 *
 * A server that crashes holds its requests until its core is written. To let another server fetch them at once, call
 * prctl(PR_SET_DUMPABLE, 0) before serving. To keep a core, and the server, off its own disk, call chdir("/").
 *
 * -EINVAL: @config is not as said above; -ENODEV: there is no such device; -EPERM:
 * it is sealed, or with ABUSE_SERVER_ADD a device of that number or name belongs to another user;
 * -ENXIO: it is unconfigured and there are no params; -ETIMEDOUT: another process has kept the lock of the node, which
 * servers take while they configure, for 10 s; -EBUSY: it is up with other values than params;
 * errors of abuse_dev_open(), abuse_ctl_add() and abuse_ctl_set_params(). -E2BIG: this library is older than the
 * header, and does not know a field that is set. abuse_reason() explains the error.
 */
int abuse_server_open_sized(struct abuse_server **srv, const struct abuse_config *config,
			    size_t config_size, size_t params_size);

/*
 * abuse_server_free() - stop, wait, and free everything
 *
 * Requests that callbacks left incomplete return to the queue, for another server, when
 * the control node is closed; their struct abuse_req and data are gone, so any thread that
 * works on them ends first. The device stays up. NULL is allowed. Not in a callback.
 */
void abuse_server_free(struct abuse_server *srv);

/* abuse_server_number() - the N of /dev/abuseN */
unsigned int abuse_server_number(const struct abuse_server *srv);

/* abuse_server_ctl() - descriptor of the control node, for abuse_ctl_*(); abuse_server_free() closes it */
int abuse_server_ctl(const struct abuse_server *srv);

/*
 * abuse_server_holds() - how the process is prepared for lack of memory: some of these flags
 *
 * Without both ABUSE_IS_FLUSHER and ABUSE_IS_LOCKED, swap space and file systems on the disk may hang when memory is short.
 * A user with a limit of locked memory can have ABUSE_IS_OWN_LOCKED only.
 */
#define ABUSE_IS_FLUSHER	1
#define ABUSE_IS_LOCKED		2	/* all memory, also what will be mapped */
#define ABUSE_IS_OWN_LOCKED	4	/* the library's buffers and the stacks of its threads */
unsigned int abuse_server_holds(const struct abuse_server *srv);

/* Any thread may ask at any time. */
struct abuse_counts {
	uint64_t calls;			/* exchanges */
	uint64_t ops[5];		/* completed requests, by ABUSE_OP_* */
	uint64_t read_bytes;
	uint64_t written_bytes;
	uint64_t errors;		/* replies with a result other than 0 */
	uint64_t stale;			/* replies that came too late: the request had ended or returned */
	uint64_t redirected;
	uint64_t reserved[5];
};

/* abuse_server_counts() - of all threads together, since abuse_server_open() */
void abuse_server_counts(const struct abuse_server *srv, struct abuse_counts *counts);

/*
 * abuse_server_start() - serve, with threads of the library's own
 *
 * They block all signals but those of faults, such as SIGSEGV, and SIGRTMAX - 1, for which the library
 * installs a handler that does nothing: this signal ends a wait. If the caller has SCHED_OTHER, the threads
 * use SCHED_BATCH, so that they do not preempt submitters.
 * -EALREADY: done before; -EBUSY: an event loop serves; errors of pthread_create(3).
 */
int abuse_server_start(struct abuse_server *srv);

/*
 * abuse_server_stop() - ask to end, and return at once
 *
 * From any thread, a callback or a signal handler, any number of times.
 * The server fetches no more requests, and completes those that it holds, asynchronous ones included.
 */
void abuse_server_stop(struct abuse_server *srv);

/*
 * abuse_server_wait() - until the threads have ended
 * @timeout: nanoseconds after a stop, or an error, to wait for incomplete requests; -1 = no limit
 *
 * 0: it was stopped and holds no request; -ENXIO: the device was reset; -ENODEV: the device was removed (incomplete
 * requests are not waited for); -ETIMEDOUT: the program has not completed all requests: call again or free.
 * -EINVAL: never started. -EDEADLK: called by a callback. -EINTR: a signal handler that was installed without
 * SA_RESTART ran, and did not call abuse_server_stop(): call again. One thread at a time may call this.
 */
int abuse_server_wait(struct abuse_server *srv, int64_t timeout);

/* abuse_server_run() - start and wait, also if signals come; the last call of a simple program */
int abuse_server_run(struct abuse_server *srv);

/*
 * abuse_server_fd() - to serve from event loops instead: a descriptor to poll for POLLIN
 * @loop: 0 to threads - 1; one thread at a time may dispatch each
 *
 * Do not close it. -EINVAL: no such loop; -EBUSY: threads serve.
 */
int abuse_server_fd(struct abuse_server *srv, unsigned int loop);

/*
 * abuse_server_dispatch() - fetch requests, call callbacks, send replies
 *
 * When abuse_server_fd() is readable, or at any time; returns without waiting.
 * abuse_req_done() makes the descriptor readable, and so does a reset or removal of the device.
 * 0: go on; -ESHUTDOWN: it was stopped and holds no request;
 * -ENXIO, -ENODEV: the device was reset or removed; -EINVAL, -EBUSY as above;
 * -EDEADLK: called by a callback.
 */
int abuse_server_dispatch(struct abuse_server *srv, unsigned int loop);

/*
 * abuse_server_add_file() - register a file for abuse_req_redirect()
 * @fd: regular file or block device, opened as requests will need it; may be
 *	closed afterwards
 *
 * Returns its index, 0 or more. -EOPNOTSUPP: the kernel lacks ABUSE_F_REDIRECT; -EPERM: the device is an ordinary user's
 * and the caller lacks CAP_SYS_ADMIN.
 */
int abuse_server_add_file(struct abuse_server *srv, int fd);

/* abuse_server_remove_file() - unregister a file; requests redirected before go on */
int abuse_server_remove_file(struct abuse_server *srv, unsigned int file);

/*
 * abuse_map() - have the kernel serve ranges of the disk from files, without the server
 * @entries: @nr of them, at most 512; abuse_server_add_file() returned the index of each file
 * abuse_map_sized() - the same with the size of struct abuse_map_entry
 *
 * After it returns 0, the kernel serves each request that one range contains and permits, also while all servers are dead;
 * all others go to servers. An entry replaces what it overlaps, or takes rights away (ABUSE_MAP_CLEAR). All
 * entries take effect or, after an error other than -EINTR, none. Requests that began under the former ranges have ended
 * when this returns. The map stays until the device is reset or removed.
 *
 * Copy-on-write: map a range that is still shared without ABUSE_MAP_WRITE. A WRITE to it goes to pwrite, which copies the
 * range, maps the copy, and only then completes the WRITE by abuse_req_redirect() to the copy. From then on no READ sees
 * the original. If pwrite finds the range copied already, it maps the copy, too: the process that made the copy may have
 * been killed before it mapped it. To share a range that is mapped with ABUSE_MAP_WRITE, take that right away, then copy.
 *
 * At a FLUSH the kernel first syncs the files to which mapped requests have written. Then flush is called, unless
 * ABUSE_MAP_WRITE covers the whole disk. Before you map that, make all data that servers completed durable, or keep it in
 * these files. ABUSE_REQ_FUA makes a mapped write durable in its file: if metadata is needed to find it there, map
 * ABUSE_MAP_WRITE only when that metadata is durable.
 *
 * -EOPNOTSUPP: the kernel lacks ABUSE_F_MAP; -EPERM: the device is an ordinary user's; -ENXIO: it was reset; -EINVAL: ranges overlap or
 * are beyond the disk or the file, or the file is not opened for these rights; -ENOENT: no such file; -ELOOP: the file lies on
 * this disk; -EINTR: killed.
 */
int abuse_map_sized(struct abuse_server *srv, const struct abuse_map_entry *entries, unsigned int nr, size_t size);

#pragma GCC visibility pop

#ifdef LIBABUSE_NO_INLINE
#pragma GCC visibility push(default)
int abuse_ctl_map(int fd, const struct abuse_map_entry *entries, unsigned int nr);
int abuse_ctl_get_map(int fd, uint64_t sector, struct abuse_map_entry *entries, unsigned int nr);
int abuse_map(struct abuse_server *srv, const struct abuse_map_entry *entries, unsigned int nr);
int abuse_ctl_add(struct abuse_add *add);
int abuse_ctl_add_open(struct abuse_add *add, struct abuse_params *params);
int abuse_ctl_get_params(int fd, struct abuse_params *params);
int abuse_ctl_set_params(int fd, struct abuse_params *params);
int abuse_server_open(struct abuse_server **srv, const struct abuse_config *config);
#pragma GCC visibility pop
#else
static inline int abuse_ctl_add(struct abuse_add *add)
{
	return abuse_ctl_add_sized(add, sizeof(*add));
}

static inline int abuse_ctl_add_open(struct abuse_add *add, struct abuse_params *params)
{
	return abuse_ctl_add_open_sized(add, sizeof(*add), params, sizeof(*params));
}

static inline int abuse_ctl_get_params(int fd, struct abuse_params *params)
{
	return abuse_ctl_get_params_sized(fd, params, sizeof(*params));
}

static inline int abuse_ctl_set_params(int fd, struct abuse_params *params)
{
	return abuse_ctl_set_params_sized(fd, params, sizeof(*params));
}

static inline int abuse_server_open(struct abuse_server **srv, const struct abuse_config *config)
{
	return abuse_server_open_sized(srv, config, sizeof(*config), sizeof(struct abuse_params));
}

static inline int abuse_ctl_map(int fd, const struct abuse_map_entry *entries, unsigned int nr)
{
	return abuse_ctl_map_sized(fd, entries, nr, sizeof(*entries));
}

static inline int abuse_ctl_get_map(int fd, uint64_t sector, struct abuse_map_entry *entries, unsigned int nr)
{
	return abuse_ctl_get_map_sized(fd, sector, entries, nr, sizeof(*entries));
}

static inline int abuse_map(struct abuse_server *srv, const struct abuse_map_entry *entries, unsigned int nr)
{
	return abuse_map_sized(srv, entries, nr, sizeof(*entries));
}
#endif

#ifdef __cplusplus
}
#endif

#endif /* LIBABUSE_H */
