/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * Shared by the files of this folder: a store behind an NBD server, and its
 * connections. Each connection is a thread that has a handle of libnbd to itself;
 * callbacks leave requests with one that is open, and it answers them. All calls of
 * libnbd on a handle are made by its thread, so its locks cost nothing.
 *
 *	callback --nbd_submit--> inbox of a connection --> command with the server
 *	    |                       |       ^                    |            |
 *	(none is open)           (breaks)   |                 (breaks)     answered
 *	    +-------------------> waiting --+--------------------+
 */
#ifndef ABUSECTL_NBD_H
#define ABUSECTL_NBD_H

#include "child.h"
#include "library.h"

#include <libabuse.h>
#include <pthread.h>

#define NBD_MAX_CONNECTIONS	16
#define NBD_MAX_COMMANDS	128	/* with the server at once, per connection */
#define NBD_LAST_CALL	5000	/* milliseconds for a server that ends to answer */
#define NBD_WHY			256	/* bytes for a reason */

struct nbd_conn;

/* Requests, first in, first out. */
struct nbd_list {
	struct abuse_req *first, *last;
};

/* The owner of the request of a command. */
enum nbd_phase {
	NBD_FREE,			/* there is none */
	NBD_SENT,			/* the server */
	NBD_WRITTEN,			/* we: its bytes must be flushed, too */
	NBD_FLUSHING,			/* the server, for that */
	NBD_LOST,			/* we: no answer came, and none will */
};

struct nbd_command {
	struct nbd_conn *conn;
	struct abuse_req *req;
	enum nbd_phase phase;
	uint64_t dirt;			/* of a flush: the writes that it covers */
};

/* Properties of the export, read at each connect. */
struct nbd_export {
	uint64_t size;
	uint64_t min_block, preferred_block, max_payload;
	bool is_read_only, is_rotational, can_multi_conn;
	bool can_flush, can_fua, can_trim, can_zero;
};

struct nbd_conn {
	struct nbd_store *store;
	unsigned int index;
	pthread_t thread;
	bool is_started;
	int bell;			/* eventfd: look at the inbox, or end */

	/* Guarded by the store's lock. */
	struct nbd_list inbox;
	bool is_open;
	bool is_asleep;			/* ring when something comes into the inbox */

	/* The thread's own. */
	struct nbd_handle *handle;
	struct nbd_export export;
	bool has_answered;		/* the server, on this handle */
	int64_t last_call;		/* the server is about to end; wait no longer */
	unsigned int nr_written;	/* commands in that phase */
	unsigned int delay;		/* milliseconds before the next attempt */
	char why[NBD_WHY];		/* it failed or broke */
	unsigned int nr_free;
	struct nbd_command *free[NBD_MAX_COMMANDS];
	struct nbd_command commands[NBD_MAX_COMMANDS];
};

struct nbd_store {
	const char *uri;
	const char *title;		/* the URI, or what is behind it, for messages */
	struct nbd_child *child;	/* the server, if it is ours; or NULL */
	char name[32];			/* of the device, for messages */
	int fd;				/* its control node */
	pthread_mutex_t resizing;
	bool is_left_behind;		/* by a thread that could not be ended: not freed */

	pthread_mutex_t lock;		/* guards what follows; nobody waits inside */
	struct nbd_list waiting;	/* for a connection to open */
	unsigned int next;		/* connection that gets a request */
	unsigned int nr_open;
	bool may_fan_out;		/* the first is open, and others may be, too */
	bool is_over;			/* nothing more is sent, nor answered */
	bool is_lost;			/* the child has ended, and so will this server */
	uint64_t dirt;			/* writes answered that may be in a cache */
	uint64_t clean;			/* how many of them a flush has covered */
	bool is_gone;			/* the loss of the server was reported */
	char told[NBD_WHY];		/* the reason that was reported */

	unsigned int nr_conns;
	struct nbd_conn conns[];
};

/* ---- queue.c ---- */

void nbd_list_add(struct nbd_list *list, struct abuse_req *req);
struct abuse_req *nbd_list_pop(struct nbd_list *list);

/* Takes a callback's request, which abuse_req_done() will answer. */
void nbd_submit(struct nbd_store *store, struct abuse_req *req);

/* The same, with the store's lock held. */
void nbd_give(struct nbd_store *store, struct abuse_req *req);

/* Has every thread look up. */
void nbd_ring_all(const struct nbd_store *store);
void nbd_silence(const struct nbd_conn *conn);

bool nbd_is_over(struct nbd_store *store);

/* Milliseconds of a monotonic clock. */
int64_t nbd_now_ms(void);

/* ---- request.c ---- */

void nbd_issue_inbox(struct nbd_conn *conn);
void nbd_flush_written(struct nbd_conn *conn);

/* A server that is about to end may yet answer something. */
bool nbd_is_last_call(const struct nbd_conn *conn);

void nbd_release(struct nbd_command *command);

/* ---- link.c ---- */

/*
 * Connects within seconds and finds out what is there. False: conn->why says why not.
 * For others than the thread before that is started.
 */
bool nbd_conn_open(struct nbd_conn *conn);
void nbd_conn_close(struct nbd_conn *conn);

/* Can it be given requests? */
bool nbd_is_alive(struct nbd_handle *handle);

/* Waits so many milliseconds (-1: for ever) for socket or bell, and does what is due. */
void nbd_conn_step(struct nbd_conn *conn, int timeout);

/* ---- conn.c ---- */

void nbd_conn_init(struct nbd_conn *conn, struct nbd_store *store, unsigned int index);

/* Starts the thread, which connects whenever it is not. 0 or -errno. */
int nbd_conn_start(struct nbd_conn *conn);

/* ---- nbd.c ---- */

/* As an open() of struct backend, of an NBD server of our own, @argv; @title stays there. */
int nbd_open_child(struct target *target, char **argv, const char *title, void **store);

/* Has the device be as large as the export. 1: it was not; 0; or -errno. */
int nbd_follow_size(struct nbd_store *store, uint64_t size);

int nbd_request(struct abuse_req *req);
int nbd_start(void *store);
bool nbd_is_stuck(void *store);
bool nbd_is_lost(void *store);
void nbd_quit(void *store);
void nbd_close_store(void *store, bool is_gone);

/* The part that all backends by NBD share */
#define NBD_BACKEND							\
	.features = ABUSE_F_WRITE_CACHE | ABUSE_F_FUA | ABUSE_F_DISCARD |	\
		    ABUSE_F_WRITE_ZEROES | ABUSE_F_ROTATIONAL,			\
	.server_flags = ABUSE_SERVER_FUA,				\
	.knows_size = true,						\
	.has_connections = true,					\
	.is_async = true,						\
	.ops = {							\
		.pread = nbd_request,					\
		.pwrite = nbd_request,					\
		.trim = nbd_request,					\
		.zero = nbd_request,					\
		.flush = nbd_request,					\
	},								\
	.close = nbd_close_store,					\
	.start = nbd_start,						\
	.is_stuck = nbd_is_stuck,					\
	.quit = nbd_quit

#endif /* ABUSECTL_NBD_H */
