/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * The private map of the library: declarations that its files share and programs must not see.
 *
 * A server has a queue for each thread or event loop. A queue has slots, one for
 * each request that it may hold, and segments for their data. All of it belongs
 * to the thread that serves the queue, except for fields marked [any], through which
 * abuse_req_done() in other threads returns a slot.
 *
 *	free --exchange--> todo --run--> with a callback --> done [any]
 *	  ^                                    |                |
 *	  +-- replies <-- late (flush) <-------+----------------+
 */
#ifndef ABUSE_INTERNAL_H
#define ABUSE_INTERNAL_H

#define LIBABUSE_NO_INLINE	/* here these are defined */
#include "libabuse.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/ioctl.h>

#define CONTROL_NODE	"/dev/abuse-control"
#define SYSFS_CLASS	"/sys/class/abuse"

/* ABUSE_SYSFS names another class directory: tests make one up. */
#define SYSFS_ENV	"ABUSE_SYSFS"

/* ioctl(2) with the library's way of returning errors. */
static inline int abuse_ioctl(int fd, unsigned long cmd, const void *arg)
{
	int ret = ioctl(fd, cmd, arg);

	return ret < 0 ? -errno : ret;
}

/* Sizes in the first header, for programs that were built with it. */
#define END_OF(type, field)	(offsetof(type, field) + sizeof(((type *)0)->field))
#define PARAMS_SIZE_1		END_OF(struct abuse_params, depth)
#define ADD_SIZE_1		END_OF(struct abuse_add, uuid)

/* A field that other threads use meanwhile. */
#define LOAD(field)		__atomic_load_n(&(field), __ATOMIC_SEQ_CST)
#define STORE(field, value)	__atomic_store_n(&(field), (value), __ATOMIC_SEQ_CST)
/* Relaxed order: no other field depends on it. */
#define SET(field, value)	__atomic_store_n(&(field), (value), __ATOMIC_RELAXED)
#define SWAP(field, value)	__atomic_exchange_n(&(field), (value), __ATOMIC_SEQ_CST)

/* Part of a queue's buffer, filled from front to back. */
struct segment {
	unsigned char *at;
	size_t used;
	unsigned int users;		/* slots whose data is here */
};

#define MAX_SEGMENTS	4
#define NR_OPS		5		/* ABUSE_OP_* */
#define MAX_DEPTH	(ABUSE_MAX_ENTRIES / 2)	/* all slots in one exchange */

enum { SLOT_ANSWERED, SLOT_BEGUN };

struct slot {
	struct abuse_req req;		/* first: this is what callbacks have */
	struct queue *queue;
	struct slot *next;		/* on the one list where it is */
	uint64_t id;
	struct segment *segment;	/* where req.data is, or NULL */
	struct slot *followers;		/* answered with it: they share its flush */
	uint64_t target;		/* of a redirect: where in the file; or place of its bytes */
	uint32_t file;
	unsigned int marks;		/* IS_*, see below */
	int state;			/* [any] SLOT_* */
	int result;			/* [any] written by who answers it */
};

#define IS_REDIRECTED	1
#define IS_FLUSHING	2		/* its callback runs, or ran, for its flush */
#define IS_SPOILED	4		/* it was answered in two ways */
#define IS_STORED	8		/* by the kernel, with the reply */
#define IS_POINTED	16		/* to memory of the program's */

/* A FIFO. */
struct list {
	struct slot *first, **end;
};

static inline void list_init(struct list *list)
{
	list->first = NULL;
	list->end = &list->first;
}

static inline void list_add(struct list *list, struct slot *slot)
{
	slot->next = NULL;
	*list->end = slot;
	list->end = &slot->next;
}

/* The list must not be empty. */
static inline struct slot *list_pop(struct list *list)
{
	struct slot *slot = list->first;

	list->first = slot->next;
	if (!slot->next)
		list->end = &list->first;
	return slot;
}

struct queue {
	struct abuse_server *srv;
	struct abuse_exchange call;	/* its constant fields stay filled in */
	struct abuse_request *requests;
	struct abuse_reply *replies;
	struct slot **replied;		/* whose replies these are */
	unsigned int nr_replies;
	unsigned int nr_slots;		/* twice the depth: refused replies keep theirs */
	unsigned int nr_free;
	bool is_without_data;		/* READs need no memory */
	unsigned int nr_async;		/* left by callbacks, not yet back here */
	bool is_full;			/* no room for another request */
	struct list todo;		/* fetched, and waiting for memory */
	struct list late;		/* done, but not yet durable */
	struct slot **free;		/* a ring, so that each rests as long as can be */
	unsigned int first_free, end_free;
	struct slot *slots;
	int (*callbacks[NR_OPS + 1])(struct abuse_req *req);
	unsigned char *buffer;
	struct segment segments[MAX_SEGMENTS];
	unsigned int nr_segments;
	struct segment *current;
	struct segment *window;		/* where the payloads of this call come */
	struct abuse_counts counts;	/* [any] read */

	struct slot *done;		/* [any] a stack */
	unsigned int nr_answering;	/* [any] threads that are in abuse_req_done() */
	bool is_asleep;			/* [any] ring when there is something done */
	bool is_rung;			/* [any] */
	int bell;			/* eventfd */
	int epoll;			/* of bell and the control node */
	bool is_known;			/* the control node, to epoll */
	bool is_watching;		/* and for requests, too: not if full */
	bool is_dispatching;		/* [any] */
	bool is_polled;			/* [any] the program has epoll */

	pthread_t thread;
	bool is_running;		/* of the threads that start and wait */
};

static inline struct slot *queue_take_slot(struct queue *queue)
{
	struct slot *slot = queue->free[queue->first_free];

	if (++queue->first_free == queue->nr_slots)
		queue->first_free = 0;
	queue->nr_free--;
	return slot;
}

static inline void queue_free_slot(struct queue *queue, struct slot *slot)
{
	queue->free[queue->end_free] = slot;
	if (++queue->end_free == queue->nr_slots)
		queue->end_free = 0;
	queue->nr_free++;
}

/* Counters have one writer; readers in other threads see whole values. */
static inline void count(uint64_t *counter, uint64_t more)
{
	SET(*counter, *counter + more);
}

enum { SERVES_NOT, SERVES_THREADS, SERVES_LOOPS };

struct abuse_server {
	struct abuse_config config;
	struct abuse_ops ops;
	struct abuse_params wanted;	/* a copy of config.params, which points here */
	struct abuse_params params;	/* of the device, as it is set up */
	int fd;
	bool is_fd_ours;
	unsigned int holds;		/* [any] ABUSE_IS_* */
	unsigned int generation;	/* [any] memory_generation() when that was tried */
	size_t segment_size;
	size_t buffer_size;
	uint32_t always;		/* ABUSE_REQ_* that every WRITE gets */
	int serves;			/* [any] SERVES_* */
	bool is_stopped;		/* [any] */
	bool is_abandoned;		/* [any] do not wait for asynchronous requests */
	int error;			/* [any] the first that ended a thread */
	sem_t ending;			/* posted with is_stopped */
	unsigned int nr_queues;
	struct queue queues[];
};

/* attach.c: finds, opens, adds, sets up; leaves fd and params in @srv. */
int server_attach(struct abuse_server *srv);

/* server.c */
void server_debug(const struct abuse_server *srv, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Sets the reason of @err, which it returns. */
int server_explain(const struct abuse_server *srv, int err);

/* Serves from now on by @serves, SERVES_*, or does so already; false: otherwise. */
bool server_enter(struct abuse_server *srv, int serves);

/* A fork between open and start loses the locks of memory: lock again. */
void server_hold_again(struct abuse_server *srv);

/* memory.c: the process is declared a flusher and its memory locked; a thread's stack */
void memory_hold(struct abuse_server *srv);
void memory_hold_stack(struct abuse_server *srv);
bool memory_be_flusher(void);
unsigned int memory_generation(void);

/* reason.c: both return the error that they are given */
void reason_clear(void);
int reason_set(int err, const char *format, ...) __attribute__((format(printf, 2, 3)));
int reason_of_error(int err, const char *what);

/* queue.c */
int queue_init(struct queue *queue, struct abuse_server *srv);
void queue_destroy(struct queue *queue);

/*
 * turn.c: a turn answers, fetches up to the room there is, and runs callbacks. It
 * waits only if @wait says so and nothing is left with a callback. 1: turn again at
 * once; 0: nothing to do; -ESHUTDOWN: stopped, nothing is held; -errno, also when
 * another thread of the server had found the device reset or removed.
 */
int queue_turn(struct queue *queue, int64_t wait);

/*
 * exchange.c: sends all replies; returns the number of fetched requests, or -errno. A signal
 * does not end it. After a stop it fetches none and does not wait. queue_answer() fetches
 * none, and sends errors for refused replies.
 */
int queue_exchange(struct queue *queue, unsigned int max_requests, int64_t wait);
int queue_answer(struct queue *queue);

/*
 * buffer.c: memory for the data of a READ, and for the payloads of the next call; false:
 * none is left. Memory of a reply is free when the reply was sent, which happens before
 * new requests arrive.
 */
bool queue_make_room(struct queue *queue, struct slot *slot);
bool queue_open_window(struct queue *queue);
void queue_close_window(struct queue *queue, unsigned int nr);
void queue_vacate(struct queue *queue);

/*
 * run.c: calls the callback and processes its result, now or in a later turn. One flush
 * covers all requests that wait for one; replies of other requests do not wait for it.
 */
void queue_run(struct queue *queue, struct slot *slot);
void queue_settle(struct queue *queue, struct slot *slot, int result);
int queue_flush_late(struct queue *queue);

/* reply.c */

/* The address of the data of a request that was executed. */
static inline void reply_with_bytes(struct abuse_reply *reply, const struct slot *slot,
				    int result)
{
	if (result == ABUSE_ZEROES) {
		reply->flags = ABUSE_REPLY_ZERO;
	} else if (slot->marks & IS_REDIRECTED) {
		reply->flags = ABUSE_REPLY_REDIRECT;
		reply->address = slot->target;
		reply->file = slot->file;
	} else if (slot->marks & IS_STORED) {
		reply->flags = ABUSE_REPLY_STORE;
		reply->address = slot->target;
	} else if (slot->req.op == ABUSE_OP_READ) {
		reply->address = (uintptr_t)slot->req.data;
	}
}

void queue_reply(struct queue *queue, struct slot *slot, int result);

/* wake.c: sleeping until a request comes or one is done elsewhere; in event loops too */
int queue_open_bell(struct queue *queue);
void queue_close_bell(struct queue *queue);
void queue_ring(struct queue *queue);
void queue_wake(struct queue *queue);
void queue_rise(struct queue *queue);
void queue_lie_down(struct queue *queue);

/* 0, or the error that every call gets from now on, since the device is no longer ours. */
int queue_sleep(struct queue *queue);
int queue_is_orphaned(const struct queue *queue);

/* Takes the right to complete the request: true for one caller only. */
static inline bool slot_claim(struct slot *slot)
{
	return SWAP(slot->state, SLOT_ANSWERED) == SLOT_BEGUN;
}

#endif /* ABUSE_INTERNAL_H */
