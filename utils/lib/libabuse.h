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

/* Of this header. abuse_version() tells that of the library, which may be newer. */
#define LIBABUSE_VERSION_MAJOR	0
#define LIBABUSE_VERSION_MINOR	2

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

/* ---- reason.c: what went wrong --------------------------------------------- */

/* abuse_version() - the version of the library that runs, as text: "0.1.0"; static */
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

/* abuse_ctl_get_free() - the number of an empty device, added if need be */
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
 * abuse_ctl_set_params() - set an empty device up, or change one that is up
 *
 * The function fills in the size. -EPERM: only CAP_SYS_ADMIN may seal.
 */

/* abuse_ctl_set_poll() - which requests make @fd readable: mode 0 or 1 */
int abuse_ctl_set_poll(int fd, unsigned int mode);

/* abuse_ctl_reset() - end every request with EIO and empty the device */
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
	char	 state[8];		/* empty, up, dying */
	char	 name[ABUSE_NAME_LEN];
	char	 uuid[ABUSE_UUID_TEXT];
	uint64_t owner;			/* uid */
	uint64_t trusted;
	uint64_t ready;			/* a server has waited since configuration */
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

/* abuse_dev_is_loaded() - is the module there? */
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
 * -ENODEV when nothing is called that, -EINVAL when it is something else.
 * A number need not exist yet: opening tells.
 */
int abuse_dev_find(const char *text);

/*
 * abuse_dev_admit() - let root open a user's disk, or refuse it again
 *
 * -EPERM or -EACCES without CAP_SYS_ADMIN, -ENXIO when the device is not up, -EINVAL
 * when root is to be refused a disk that is no user's, -ENODEV, -EOPNOTSUPP when
 * the module cannot refuse root.
 */
int abuse_dev_admit(unsigned int number, bool admit);

/* abuse_dev_open() - open the control node of what @text names; a descriptor */
int abuse_dev_open(const char *text);

/* ---- server.c: a device answered by callbacks ------------------------------ */

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
 *   -errno		failed; one that the kernel does not allow there becomes EIO
 *   ABUSE_ZEROES	pread: zeroes; data is ignored
 *   ABUSE_ASYNC	not complete yet: abuse_req_done() is called once, now or later
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
	 * release: the memory that abuse_req_point() or abuse_req_store() named for @req is used no more, by the kernel
	 * or the library, and may be unmapped or filled anew. @req->arg and @req->priv are as the callback left them;
	 * the rest of @req counts no more. Called by the thread that sent the answer, once for each request answered so;
	 * not for requests that are unanswered at abuse_server_free(), after which all memory is free.
	 */
	void (*release)(struct abuse_req *req);
	/*
	 * thread_begin, thread_end: called by each thread that abuse_server_start() makes, first and last of all;
	 * @arg of struct abuse_config. For languages that must know their threads.
	 */
	void (*thread_begin)(void *arg);
	void (*thread_end)(void *arg);
	/*
	 * debug: what happens seldom (a thread ends, an answer was refused), a line each without a line feed, @message is the
	 * library's and gone after the call. From any thread.
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
 * -EOPNOTSUPP: it is no READ. -EINVAL: @bytes is NULL. -EALREADY: it was answered before.
 */
int abuse_req_point(struct abuse_req *req, const void *bytes);

/*
 * abuse_req_gather() - complete a READ with bytes from several addresses
 * @pieces: @nr pieces, @req->length bytes in all; they are copied to @req->data before this returns
 *
 * -EOPNOTSUPP: it is no READ, has no data (ABUSE_SERVER_NO_READ_DATA), or abuse_req_point() was called.
 * -EINVAL: the pieces are not @req->length bytes. -EALREADY: it was answered before.
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
 * @place stays mapped as long as the bytes of abuse_req_point(), and where every other server would read it: shared memory, or a
 * mapped file. If some of it is not there, that request fails with EIO, part of
 * its bytes stored, and no signal is raised.
 *
 * -EOPNOTSUPP: it is no WRITE, or has ABUSE_REQ_ATOMIC, or ABUSE_REQ_FUA, since nothing can be flushed before
 * the bytes are there, or this kernel cannot: copy @req->data yourself. All WRITEs have it
 * on a device without a write cache if there is a flush or ABUSE_SERVER_FUA: a mapped file
 * that is to be durable is set up with ABUSE_F_WRITE_CACHE and without ABUSE_F_FUA, which
 * params.features then says. -EINVAL: @place is NULL. -EALREADY: it was answered before.
 */
int abuse_req_store(struct abuse_req *req, void *place);

/*
 * abuse_req_redirect() - let the kernel execute a request on a registered file
 * @file: what abuse_server_add_file() returned
 * @offset: bytes; ignored for FLUSH
 *
 * Takes effect when the request completes with 0; its data does not pass through this process. A flush that is
 * redirected covers its FLUSH request only, so such a server needs ABUSE_SERVER_FUA. A file that must be durable without
 * a write cache is opened O_DSYNC.
 *
 * -EOPNOTSUPP: this kernel cannot, or the request is not such a one: do it yourself.
 * -EALREADY: it was answered before.
 */
int abuse_req_redirect(struct abuse_req *req, unsigned int file, uint64_t offset);

/* abuse_config.flags */
#define ABUSE_SERVER_ADD	(1U << 0)  /* add the device if there is none */
#define ABUSE_SERVER_FUA	(1U << 1)  /* pwrite and zero heed ABUSE_REQ_FUA */
#define ABUSE_SERVER_NO_READ_DATA  (1U << 2)  /* pread points, redirects or gives zeroes */
#define ABUSE_SERVER_NO_WRITE_DATA (1U << 3)  /* pwrite looks at no bytes */
#define ABUSE_SERVER_NO_LOCK	(1U << 4)  /* leave memory unlocked */
#define ABUSE_SERVER_NO_SPIN	(1U << 5)  /* sleep at once, whatever spin says */

#define ABUSE_MAX_THREADS	64
#define ABUSE_MAX_SPIN		1000000	/* nanoseconds */
#define ABUSE_DEFAULT_SPIN	50000	/* nanoseconds; 200000 gained nothing (tests/bench/README.md) */

/* All 0 but device, ops and, to set a device up, params.capacity is a good start. */
struct abuse_config {
	const struct abuse_ops *ops;	/* copied */
	void *arg;			/* for the callbacks */
	const char *device;		/* see abuse_dev_find(); NULL: fd, if that is
					 * given, else any number that is free */
	int fd;				/* control node open already; stays the
					 * caller's, open; 0 or -1: none */
	uint32_t flags;			/* ABUSE_SERVER_* */
	/*
	 * How to set the device up if it is empty; without features, they are what
	 * ops can. If it is up, what is given here must be so, but for queue_limit
	 * and timeout, which may change. NULL: it must be up.
	 */
	const struct abuse_params *params;
	unsigned int threads;		/* or event loops; default 1, at most 64 */
	unsigned int depth;		/* requests that each holds at most, 1 to 256;
					 * default 16 */
	uint64_t buffer;		/* bytes that each has for data; default and least
					 * twice the largest request; more lets more
					 * be in flight at once */
	uint64_t spin;			/* nanoseconds, at most, to look for a request
					 * before sleeping, up to 1 ms; default
					 * ABUSE_DEFAULT_SPIN; threads alone */
	uint64_t stack_size;		/* bytes of stack for each thread of the library's: 64 KiB to 1 GiB;
					 * default 256 KiB, which is little for an interpreter */
	uint64_t reserved[7];		/* 0 */
};

/*
 * abuse_server_open() - get a device, and everything needed to serve it
 * abuse_server_open_sized() - the same with the sizes of both structs, as above
 *
 * Finds, opens or adds the device, sets it up if it is empty and else takes it over:
 * what a dead server held is handed out again. Servers that start at the same moment
 * do so one after another. All memory is allocated here. The process is declared an I/O flusher (needs CAP_SYS_RESOURCE),
 * and unless told otherwise its memory is locked: all that it has mapped and will map, with CAP_IPC_LOCK or without a
 * limit (RLIMIT_MEMLOCK); else only the library's buffers and stacks, as far as the limit allows, so that malloc(3) and
 * pthread_create(3) go on to work. abuse_server_holds() tells. A program that gives CAP_IPC_LOCK up afterwards cannot map more
 * than its limit. Locks do not pass to a child: fork or daemon(3) first; else they are taken again at start.
 * Nothing is served yet.
 *
 * A server that crashes still holds its requests while its core is written: prctl(PR_SET_DUMPABLE, 0) before serving lets
 * another server take over at once, and chdir("/") keeps a core, and the server, off a disk that it serves itself.
 *
 * -EINVAL: @config is not as said above; -ENODEV: there is no such device; -EPERM:
 * it is sealed, or to be added and another user has one of that number or name;
 * -ENXIO: it is empty and there are no params; -ETIMEDOUT: another process has kept the lock of the node, which servers take while they
 * configure, for 10 s; -EBUSY: it is up, and not as params
 * say; errors of abuse_dev_open(), abuse_ctl_add() and abuse_ctl_set_params(). -E2BIG: this library is older than the
 * header, and does not know a field that is set. abuse_reason() has it in words.
 */
int abuse_server_open_sized(struct abuse_server **srv, const struct abuse_config *config,
			    size_t config_size, size_t params_size);

/*
 * abuse_server_free() - stop, wait, give everything back
 *
 * Requests that callbacks left incomplete return to the queue, for another server, when
 * the control node is closed; their struct abuse_req and data are gone, so any thread that
 * works on them ends first. The device stays up. NULL is allowed. Not in a callback.
 */
void abuse_server_free(struct abuse_server *srv);

/* abuse_server_number() - the N of /dev/abuseN */
unsigned int abuse_server_number(const struct abuse_server *srv);

/* abuse_server_ctl() - the control node, for abuse_ctl_*(); the server's to close */
int abuse_server_ctl(const struct abuse_server *srv);

/*
 * abuse_server_holds() - what holds under memory pressure
 *
 * Which of these. Without ABUSE_IS_FLUSHER and ABUSE_IS_LOCKED nothing is promised under swap or reclaim;
 * ABUSE_IS_OWN_LOCKED alone is what a user with a limit can have.
 */
#define ABUSE_IS_FLUSHER	1
#define ABUSE_IS_LOCKED		2	/* all memory, also what will be mapped */
#define ABUSE_IS_OWN_LOCKED	4	/* the library's buffers and the stacks of its threads */
unsigned int abuse_server_holds(const struct abuse_server *srv);

/* Any thread may ask at any time. */
struct abuse_counts {
	uint64_t calls;			/* exchanges */
	uint64_t ops[5];		/* answered, by ABUSE_OP_* */
	uint64_t read_bytes;
	uint64_t written_bytes;
	uint64_t errors;		/* answered other than 0 */
	uint64_t stale;			/* answered too late: ended, or returned */
	uint64_t redirected;
	uint64_t reserved[5];
};

/* abuse_server_counts() - of all threads together, since abuse_server_open() */
void abuse_server_counts(const struct abuse_server *srv, struct abuse_counts *counts);

/*
 * abuse_server_start() - serve, with threads of the library's own
 *
 * They block all signals but one real-time signal, SIGRTMAX - 1, for which a
 * handler is installed that does nothing: it ends a wait. Where the caller is
 * SCHED_OTHER they are SCHED_BATCH, so that they let who submits go on.
 * -EALREADY: done before; -EBUSY: an event loop serves; errors of pthread_create(3).
 */
int abuse_server_start(struct abuse_server *srv);

/*
 * abuse_server_stop() - ask to end, and return at once
 *
 * From any thread, a callback or a signal handler, any number of times.
 * Nothing more is fetched; what is held is answered, asynchronous answers included.
 */
void abuse_server_stop(struct abuse_server *srv);

/*
 * abuse_server_wait() - until the threads have ended
 * @timeout: nanoseconds after a stop, or an error, to wait for answers; -1 = for ever
 *
 * 0: it was stopped and nothing is held; -ENXIO: the device was reset; -ENODEV:
 * removed, and answers still to come are not waited for; -ETIMEDOUT: some callback
 * has not answered: call again or free. -EINVAL: never started. -EDEADLK: called by
 * a callback. -EINTR: a signal handler that was installed without SA_RESTART ran, and
 * did not call abuse_server_stop(): call again. By one thread at a time.
 */
int abuse_server_wait(struct abuse_server *srv, int64_t timeout);

/* abuse_server_run() - start and wait, whatever signals come; the last call of a simple program */
int abuse_server_run(struct abuse_server *srv);

/*
 * abuse_server_fd() - to serve from event loops instead: what to poll for POLLIN
 * @loop: 0 to threads - 1; one thread at a time may dispatch each
 *
 * The descriptor stays the server's. -EINVAL: no such loop; -EBUSY: threads serve.
 */
int abuse_server_fd(struct abuse_server *srv, unsigned int loop);

/*
 * abuse_server_dispatch() - fetch what there is, call callbacks, send answers
 *
 * When abuse_server_fd() is readable, or at any time; returns without waiting.
 * Answers that abuse_req_done() gives between two calls make the descriptor
 * readable, and so does a reset or removal of the device.
 * 0: go on; -ESHUTDOWN: it was stopped and nothing is held;
 * -ENXIO, -ENODEV: the device was reset or removed; -EINVAL, -EBUSY as above;
 * -EDEADLK: called by a callback.
 */
int abuse_server_dispatch(struct abuse_server *srv, unsigned int loop);

/*
 * abuse_server_add_file() - register a file for abuse_req_redirect()
 * @fd: regular file or block device, opened as requests will need it; may be
 *	closed afterwards
 *
 * Returns what it is called from now on, 0 or more. -EOPNOTSUPP: this kernel cannot; -EPERM: the device is an ordinary user's.
 */
int abuse_server_add_file(struct abuse_server *srv, int fd);

/* abuse_server_remove_file() - the opposite; what was redirected goes on */
int abuse_server_remove_file(struct abuse_server *srv, unsigned int file);

/*
 * abuse_map() - have the kernel serve ranges of the disk from files, without asking any more
 * @entries: @nr of them, at most 512; files are what abuse_server_add_file() returned
 * abuse_map_sized() - the same with the size of struct abuse_map_entry
 *
 * From when it returns 0, requests that one range holds and permits do not come to any server, also when all servers are
 * gone; all others do, as before. An entry replaces what it overlaps, or takes rights away (ABUSE_MAP_CLEAR). All
 * entries count or, after an error other than -EINTR, none. Requests that began under the former ranges have ended when this
 * returns. The map stays until the device is reset or removed.
 *
 * Copy-on-write: a range that is still shared is mapped without ABUSE_MAP_WRITE. A WRITE to it comes to pwrite, which copies the
 * range, maps the copy, and only then answers, by abuse_req_redirect() to the copy. From then on no READ sees the original.
 * Another process may have copied it and died before it mapped it: pwrite maps even what it finds copied.
 * To share what is mapped with ABUSE_MAP_WRITE, take that right away first; then copy.
 *
 * A FLUSH syncs the files that were written to by the map, then comes to flush; only if ABUSE_MAP_WRITE covers the whole disk it
 * does not. Before you map that, make durable what servers completed, or have it in these files. ABUSE_REQ_FUA makes
 * a mapped write durable in its file: if more is needed to find it there, map ABUSE_MAP_WRITE once that is durable, too.
 *
 * -EOPNOTSUPP: this kernel cannot; -EPERM: the device is an ordinary user's; -ENXIO: it was reset; -EINVAL: ranges overlap, or
 * are beyond the disk or the file, or the file is not opened for that; -ENOENT: no such file; -ELOOP: the file lies on
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
