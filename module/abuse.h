/* SPDX-License-Identifier: GPL-2.0-only */
/* Copyright (C) 2026 the abuse authors */
/*
 * The map of the driver: states, locks, structs, and the calls between files
 * under the file that defines them. The data path is submit.c (a request
 * arrives and is queued), fetch.c (it is handed out), complete.c (it is
 * answered) or redirect.c (a file answers: workers of lanes.c do its I/O in redirect_io.c),
 * recover.c (no server answers it), expire.c (the driver waits no longer). serving.c
 * knows the live servers. files.c registers those files and closes them. On a device with
 * a map (map.c) map_submit.c comes before submit.c: it completes READs in place (map_read.c),
 * or gives requests to redirect.c. map_call.c changes the map, map_files.c has its files.
 *
 * The owner of a request
 *
 *	state	 owner		found on		leaves by
 *	free	 block layer	-			submit.c -> pending
 *							map_submit.c -> redirected
 *	pending	 the module	pending or backlog	fetch.c -> held
 *							claim -> claimed
 *							recover.c -> free
 *	held	 one descriptor	slot table		complete.c -> free
 *							claim -> claimed
 *							recover.c -> pending or free
 *	claimed	 one call	slot table		copy done -> where it was,
 *							or complete.c -> free
 *							redirect.c -> redirected
 *	doomed	 one call	slot table		that call -> free
 *	redirected a file	slot table		redirect.c -> free
 *							a FLUSH of the map -> pending
 *
 * Claimed: a call is copying this request's payload. It neither faults nor sleeps
 * meanwhile, so whoever wants the request waits for one such copy at most:
 * recover.c dooms it, and the claimer ends it with an error instead of
 * giving it back. A request that was pending when it was claimed returns to the
 * front of the queue; one that was held stays its holder's.
 *
 * Redirected: the kernel does it on a file. Nobody takes it back and nothing ends it
 * but the result of the file's I/O: RESET and REMOVE wait for that, killably.
 *
 * A READ that is completed in place has no state: its slot stays free. Submitters look a
 * request up in the map, copy in place and move it to redirected, or else queue it for servers, in
 * one section (SRCU). A change of the map, of the state or of the capacity waits for the sections that
 * began before: then each request of the former map has ended, is redirected or is queued. MAP waits
 * for these, without a lock. A FLUSH is redirected until the files of the map are synced,
 * and then pending, unless WRITE is mapped for the whole disk.
 *
 * The state lives in one word per slot together with the generation, which
 * changes when a request arrives and when a held one returns to the queue: an id
 * is generation and slot, and names one hand-out. Every move is one
 * abuse_slot_move() (request.c) or its short form below, which refuses a move from
 * any other state than the caller saw. Moves from and to pending are made under the
 * lock of the slot's queue, so that nobody else can make them; a slot's other
 * fields belong to whoever made the last move.
 *
 * Queues: each hardware queue has its own list, lock and sleeping servers. A server
 * looks first at the queue of the processor it runs on, then at all others. limit.c
 * has the one thing that they share, the queue limit, and its invariant.
 *
 * Device states (design of RESET, REMOVE)
 *
 *	empty	I/O ends with EIO at once	set-up -> up, REMOVE -> dying
 *	up	I/O is queued for servers	RESET -> emptying, REMOVE -> dying
 *	emptying like empty, while files end the requests that were redirected to
 *		them			RESET -> empty. If RESET was killed the next RESET or
 *		set-up goes on with it, or REMOVE -> dying. Programs are told "empty".
 *	dying	opens fail, ids are gone	freed at the last reference
 *
 * Flags of its life, and their writers (under dev->lock unless another lock is named)
 *
 *	flag		 set by				cleared by
 *	pins_module	 set-up				end of RESET, stop of the device, a
 *			 (control)			set-up that fails (control)
 *	sealed		 set-up				end of RESET, a set-up that fails
 *	admitted	 `abusectl admit`		RESET, REMOVE
 *	is_announced	 set-up, after event "up"	end of RESET
 *	ready		 first server that waits	set-up, end of RESET, expiry of an
 *							unserved disk
 *	is_watched	 arming of the expire work	the expire work (no lock; expire.c)
 *	is_unserved	 first expiry of an unserved disk, or not: each expiry sets it anew
 *	sync_failed	 failed sync of a file		set-up (no lock)
 *	has_map		 first MAP (control)		RESET, REMOVE
 *	opened_by_user	 an opener without rights	last close
 *	has_leftovers	 RESET with open partitions	a drop that finds none, stop
 *	scanner		 partition scan (its task)	end of the scan (no lock)
 *	claimed_ns	 an exclusive open; the work	set-up
 *
 * Patience of a device that is up (expire.c)
 *
 *	waits	  requests wait for a server	first expiry -> fails
 *	fails	  and all I/O ends with EIO	its time is over -> revives
 *	revives	  likewise			a server asks -> waits
 *
 * Locks, outermost first
 *
 *  1. abuse_index_lock (index.c, mutex): the numbers, names and owners of all
 *     devices; adding and removing.
 *  2. dev->control (mutex): set-up, live changes, changes of the map and RESET exclude
 *     each other. Guards params, scan requests, the capacity, the tree of the map.
 *  3. the block layer's open lock of the disk, taken by RESET, set-up and the scan
 *     work, never while the queue may hold unanswered requests that block it.
 *     Our open and release run under it and take only:
 *  4. dev->lock (spinlock, process context): state, epoch, seal, openers, patience,
 *     the list of servers, what GET_BIO handed to whom, and the files of the map. The path
 *     of a request reads these without it.
 *  5. queue->lock (spinlock, process context): pending, backlog, and every move of
 *     one of its slots from and to pending. One at a time. nr_counted and nr_backlog
 *     are atomic, and ordered as limit.c says.
 *  6. lane->lock (spinlock, any context): what waits for workers. Taken with none
 *     of 4 and 5 held.
 *
 *  7. dev->descriptors_lock (mutex) and, within it or any of the above, dev->pollers_lock
 *     (spinlock, process context): the descriptors, and those that poll.
 *
 * None of these is taken within, and of them control alone may be held: stack_lock (files.c,
 * mutex), which of our disks lies on which.
 *
 * Writers of state, capacity and patience, which the path of a request reads, update
 * the field, then take and release every queue lock; a submitter that runs later sees
 * the new value.
 *
 * No lock is held across user memory, and no spinlock across the end of a request.
 * Above all of them is the block layer's list of majors, under which it calls our
 * probe: nothing that holds the index opens a disk by its number.
 */
#ifndef ABUSE_H
#define ABUSE_H

#include <linux/abuse.h>
#include <linux/atomic.h>
#include <linux/blk-mq.h>
#include <linux/blkdev.h>
#include <linux/device.h>
#include <linux/errseq.h>
#include <linux/fs.h>
#include <linux/jiffies.h>
#include <linux/jump_label.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/llist.h>
#include <linux/lockdep.h>
#include <linux/mmu_notifier.h>
#include <linux/mutex.h>
#include <linux/nospec.h>
#include <linux/percpu.h>
#include <linux/poll.h>
#include <linux/rbtree.h>
#include <linux/rcupdate.h>
#include <linux/seqlock.h>
#include <linux/spinlock.h>
#include <linux/srcu.h>
#include <linux/uio.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

#include "params.h"
#include "states.h"

#define ABUSE_MAX_VECS		256	/* of one request; 2009's BIO_MAX_PAGES */
#define ABUSE_MAX_SPIN_NS	1000000

/*
 * After so many bytes, and the request that these end in, a call settles what it has
 * answered and lets others have the processor. A batch of 32 requests of
 * 4 KiB stays whole.
 */
#define ABUSE_COPY_AT_ONCE	(256U << 10)

/* The word of a slot: generation << ABUSE_STATE_BITS | state. */
#define ABUSE_STATE_BITS	16
#define ABUSE_SLOT_BITS		16	/* an id: generation << these | slot */

struct abuse_server;
struct seq_file;

/* One per tag of each hardware queue. */
struct abuse_slot {
	atomic64_t word;
	struct request *rq;
	struct abuse_server *holder;	/* while held */
	struct list_head node;		/* of pending or backlog, else stale */
	u64 seq;			/* order of arrival in its queue */
	u64 queued;			/* when, in ticks; for age and time-out */
	unsigned int handed;		/* live descriptors GET_BIO gave it to */
	bool in_backlog;		/* beyond the queue limit */
	bool counted;			/* one of dev->nr_counted */
};

/* One per hardware queue. */
struct abuse_queue {
	spinlock_t lock;
	struct abuse_slot *slots;	/* by tag; of dev->slots */
	struct list_head pending;	/* within the limit, nobody's */
	struct list_head backlog;	/* beyond the limit, FIFO */
	u64 seq;
	unsigned int turns;		/* fetches by servers at home here */
	u32 next;			/* queue where these go on if this one is empty */
	u32 spinning;			/* a server busy-polls; it looks again before it sleeps */
	u32 copied;			/* bytes in place since the end of a plug; a hint */
	wait_queue_head_t fetch_wait;	/* exchange; exclusive */
} ____cacheline_aligned_in_smp;

/* Per processor; they only grow. */
struct abuse_stats {
	u64 served;
	u64 errors;
	u64 returned;
	u64 refused;			/* answered with an error; of errors */
	u64 bytes;			/* read and written, of what was answered */
	u64 map_in_place;		/* by the map, from the page cache, as of served */
	u64 map_by_worker;		/* by the map, on a file; as of served and errors */
	u64 map_missed;			/* the map has no range for it */
};

/* A state of the driver's own, beside those of the interface: programs are told "empty". */
#define ABUSE_S_EMPTYING	(ABUSE_S_DYING + 1)

enum abuse_patience {
	ABUSE_WAITS,
	ABUSE_FAILS,
	ABUSE_REVIVES,
};

/* The counts of a user's device when a period of the floor began. */
struct abuse_window {
	u64 since_ns;			/* 0 = there is none */
	u64 requests;
	u64 bytes;
};

struct abuse_device {
	struct kref ref;
	u32 number;
	kuid_t owner;			/* root's = the group's device */
	bool own_major;			/* its disk's number is of our major */
	u32 hw_queues;
	u32 depth;
	u32 nr_slots;
	struct abuse_slot *slots;

	struct mutex control;
	struct abuse_params params;	/* as set up; name and UUID for good */

	spinlock_t lock;
	u32 state;			/* ABUSE_S_*; lockless reads are hints */
	bool sealed;
	bool admitted;			/* a user's, until RESET: to CAP_SYS_ADMIN */
	bool ready;			/* a server has waited since set-up */
	bool is_announced;		/* the event "up" of this set-up was sent */
	bool is_watched;		/* the expire work is due, or has nothing to do */
	u32 patience;			/* ABUSE_WAITS .. */
	atomic64_t epoch;		/* counts set-ups */
	kuid_t seal_uid;
	bool read_only;			/* as set up; control, read by each request */
	bool has_map;			/* a range was mapped in this set-up; likewise */
	u64 features;
	u32 queue_limit;
	u32 openers;
	u32 nr_handles;			/* descriptors that ADD opened: GET_FREE gives the device to nobody else */
	bool opened_by_user;		/* an opener is not CAP_SYS_ADMIN */
	bool pins_module;		/* control */
	bool has_leftovers;		/* partitions that were open at RESET */
	struct task_struct *scanner;	/* its own open does not count */
	u32 max_request;		/* as in params, and chunk: read without a lock */
	u32 chunk;
	s64 timeout;			/* as in params; what it means is expire.c's */
	struct list_head servers;	/* who serves this set-up */
	unsigned int nr_servers;
	u64 unserved_ns;		/* when the last of them went */
	u64 claimed_ns;			/* when a claim was last seen or began */
	u64 failed_ns;			/* patience became fails; the work's */
	bool is_unserved;		/* that is why */
	struct abuse_window window;	/* the work's */
	struct abuse_stats past;	/* of former set-ups */
	u32 get_turn;			/* GET_BIO; which queue is next */

	struct abuse_queue *queues;
	u16 *homes;			/* [processor] = queue; several queues */
	struct abuse_stats __percpu *stats;
	struct abuse_latency __percpu *latency; /* from the first reader on */
	bool has_limit;			/* requests are counted */

	atomic_t nr_doomed;
	wait_queue_head_t doomed_wait;	/* RESET and REMOVE, for claimers and files */
	struct mutex descriptors_lock;
	struct list_head descriptors;	/* every open one */
	spinlock_t pollers_lock;
	struct list_head pollers;	/* those of them that poll and may */
	struct delayed_work expire_work;
	struct work_struct ready_work;	/* first server: event, scan */
	struct work_struct leftovers_work; /* last close after RESET */

	struct abuse_redirect *redirects; /* [slot], from the first file on */
	struct abuse_lanes *lanes;	/* likewise */
	struct abuse_mapping *map;	/* from the first MAP on */
	bool sync_failed;		/* write-back of a file, since set-up */
	struct llist_head closing;	/* targets whose file is to be closed */
	atomic_t nr_closes;		/* that were ever there ... */
	atomic_t nr_closed;		/* ... and of these, closed */
	struct work_struct close_work;
	struct work_struct free_work;
	struct list_head stacked;	/* its files that lie on a disk of ours */
	struct list_head walk;		/* in a walk along those */

	struct blk_mq_tag_set tag_set;
	struct gendisk *disk;
	dev_t devt;			/* of the disk, once it was added */
	struct device *node;		/* of /dev/abctlN; the disk's parent */

	/* Servers and submitters write these: off the lines that each request reads. */
	u64 arrival_tick ____cacheline_aligned_in_smp; /* of a user's device; the last */
	u64 busy_since;			/* tick; something was unanswered ever since */
	u64 slow_tick;			/* of the last answer that took long; 0 = none */
	atomic_t nr_counted ____cacheline_aligned_in_smp; /* unanswered, within the limit */
	atomic_t nr_backlog;
	u32 limit_turn;			/* queue whose backlog comes next; a hint */
};

/* One per open control descriptor. */
struct abuse_server {
	struct abuse_device *dev;
	struct file *file;
	struct list_head node;		/* of dev->descriptors */
	struct list_head poller;	/* of dev->pollers, or empty */
	wait_queue_head_t poll_wait;
	kuid_t uid;			/* the opener's */
	bool admin;			/* the opener had CAP_SYS_ADMIN */
	bool is_handle;			/* ADD opened it (handle.c) */
	unsigned int poll_mode;
	atomic64_t epoch;		/* which set-up it serves; 0 = any */
	u64 *handed;			/* [slot] = id GET_BIO gave us; dev->lock */
	struct xarray targets;		/* registered files */

	struct mm_struct *asker;	/* who asked last, and serves; or NULL; dev->lock */
	struct pid *pid;		/* its */
	struct list_head serving;	/* of dev->servers, with asker */

	struct mutex bind_lock;		/* binding only */
	struct mm_struct *mm;		/* of the first exchange; set once */
	struct mmu_notifier notifier;
};

/*
 * A file and the credentials that it is used with. Descriptors on which it is registered
 * and requests that were redirected to it keep it.
 */
struct abuse_target {
	struct kref ref;
	struct abuse_device *dev;
	struct file *file;		/* keeps below in being, too */
	struct abuse_device *below;	/* whose disk it lies on; NULL: none of ours */
	struct list_head node;		/* of dev->stacked, while that counts */
	unsigned int nr_stacked;	/* registered 1, listed by the map 1; stack_lock */
	const struct cred *cred;	/* the registrar's */
	unsigned int block_mask;	/* direct I/O: alignment - 1 */
	s64 epoch;			/* set-up that last used it; dev->lock */
	errseq_t wb_err;		/* of file, when that began */
	bool has_own_pages;		/* READs of the map may copy from its page cache */
	bool can_swap_directly;		/* a disk is below it, and it takes IOCB_DIRECT */

	/* The map's (map_files.c). */
	struct list_head mapped;	/* of dev->map->files, with a reference; dev->lock */
	bool is_mapped;			/* a range has it, or had it just now; dev->lock */
	u64 nr_extents;			/* control */
	atomic_t nr_running;		/* requests */
	atomic64_t writes;		/* requests that may have written, and have run */
	u64 synced;			/* of these, durable; dev->lock */

	struct llist_node closing;	/* of dev->closing, without references */
};

#define ABUSE_MAP_RIGHTS	(ABUSE_MAP_READ | ABUSE_MAP_WRITE | ABUSE_MAP_SHAPE)

#define ABUSE_EXTENT_MOST	64	/* bytes charged for one */

/*
 * A range of the disk that the kernel serves from one place of a file. The slab adds a pointer
 * for whom it is charged to.
 */
struct abuse_extent {
	struct rb_node node;		/* of map->root */
	u64 sector;
	u64 end;
	union {
		struct abuse_target *target;
		struct abuse_extent *next;	/* of spares */
	};
	u64 at : 56;			/* in the file, in sectors */
	u64 rights : 8;			/* ABUSE_MAP_READ .. */
};

/* Extents for a change, allocated before, and those that it erased. */
struct abuse_spares {
	struct abuse_extent *fresh;
	struct abuse_extent *erased;
};

/* The map of a device. Empty unless that is up. */
struct abuse_mapping {
	struct rb_root root;		/* control; submitters by seq */
	seqcount_t seq;
	u64 nr_extents;			/* control */
	u64 nr_writable;		/* sectors; control */
	bool is_whole;			/* WRITE is mapped for the whole disk; control */
	unsigned int nr_walkers;	/* FLUSHes that go along files; dev->lock */
	struct list_head files;		/* targets; dev->lock */
};

/* The place in a file that a lookup found. */
struct abuse_place {
	struct abuse_target *target;
	loff_t pos;
	u32 seq;			/* when */
};

/* I/O on a file that is to be done; jobs wait in a row. */
struct abuse_job {
	struct abuse_job *next;
};

struct abuse_jobs {
	struct abuse_job *first;
	struct abuse_job *last;		/* if there is a first */
};

static inline void abuse_job_append(struct abuse_jobs *jobs,
				    struct abuse_job *job)
{
	job->next = NULL;
	if (jobs->first)
		jobs->last->next = job;
	else
		jobs->first = job;
	jobs->last = job;
}

/* Age and time-out of requests go by the tick, which costs nothing to read. */
static inline u64 abuse_tick_ns(void)
{
	return jiffies64_to_nsecs(get_jiffies_64());
}

static inline u64 abuse_queued_ns(const struct abuse_slot *slot)
{
	return jiffies64_to_nsecs(READ_ONCE(slot->queued));
}

/* ---- request.c: one request's state ------------------------------------ */

static inline enum abuse_slot_state abuse_word_state(u64 word)
{
	return word & ((1U << ABUSE_STATE_BITS) - 1);
}

static inline u64 abuse_slot_word(const struct abuse_slot *slot)
{
	return atomic64_read_acquire(&slot->word);
}

/* The word of the slot that an id names, in that state. */
static inline u64 abuse_id_word(u64 id, enum abuse_slot_state state)
{
	return id >> ABUSE_SLOT_BITS << ABUSE_STATE_BITS | state;
}

/* Where an id points, whether it still names anything or not; or NULL. */
static inline struct abuse_slot *abuse_slot_at(const struct abuse_device *dev,
					       u64 id)
{
	u32 index = id & ((1U << ABUSE_SLOT_BITS) - 1);

	if (index >= dev->nr_slots)
		return NULL;
	return &dev->slots[array_index_nospec(index, dev->nr_slots)];
}

static inline u64 abuse_slot_id(const struct abuse_device *dev,
				const struct abuse_slot *slot)
{
	return abuse_slot_word(slot) >> ABUSE_STATE_BITS << ABUSE_SLOT_BITS |
	       (slot - dev->slots);
}

bool abuse_slot_move(struct abuse_slot *slot, u64 seen,
		     enum abuse_slot_state to);
void abuse_slot_move_sure(struct abuse_slot *slot, enum abuse_slot_state to);

/*
 * The same where both states stand in the source, in line: an illegal move does
 * not compile. For the first it is a move that may come too late, as
 * abuse_slot_move(), for the second one as abuse_slot_move_sure().
 */
static __always_inline bool abuse_slot_try(struct abuse_slot *slot, u64 id,
					   enum abuse_slot_state from,
					   enum abuse_slot_state to)
{
	u64 seen = abuse_id_word(id, from);

	BUILD_BUG_ON(!abuse_move_is_legal(from, to) ||
		     abuse_move_starts_generation(from, to));
	return atomic64_cmpxchg(&slot->word, seen, abuse_id_word(id, to)) == seen;
}

static __always_inline void abuse_slot_step(struct abuse_slot *slot,
					    enum abuse_slot_state from,
					    enum abuse_slot_state to)
{
	u64 word = atomic64_read(&slot->word);

	BUILD_BUG_ON(!abuse_move_is_legal(from, to));
	WARN_ON_ONCE(abuse_word_state(word) != from);
	word = word - from + to;
	if (abuse_move_starts_generation(from, to))
		word += 1ULL << ABUSE_STATE_BITS;
	atomic64_set_release(&slot->word, word);
}

struct abuse_slot *abuse_slot_find(const struct abuse_device *dev, u64 id,
				   u64 *word);

static __always_inline u32 abuse_rq_op(const struct request *rq)
{
	switch (req_op(rq)) {
	case REQ_OP_READ:
		return ABUSE_OP_READ;
	case REQ_OP_WRITE:
		return ABUSE_OP_WRITE;
	case REQ_OP_FLUSH:
		return ABUSE_OP_FLUSH;
	case REQ_OP_DISCARD:
		return ABUSE_OP_DISCARD;
	case REQ_OP_WRITE_ZEROES:
		return ABUSE_OP_WRITE_ZEROES;
	default:
		return ~0U;
	}
}

/* A flush has no place on the disk. */
static inline bool abuse_rq_ends_beyond(const struct request *rq, sector_t end)
{
	return blk_rq_sectors(rq) && blk_rq_pos(rq) + blk_rq_sectors(rq) > end;
}

/* ---- queue.c: lists of requests, and the servers that sleep on them -------- */

static inline struct abuse_queue *abuse_queue_of(const struct abuse_device *dev,
						 const struct abuse_slot *slot)
{
	return &dev->queues[(u32)(slot - dev->slots) / dev->depth];
}

int abuse_queues_alloc(struct abuse_device *dev);
void abuse_queues_start(struct abuse_device *dev);
void abuse_queues_free(struct abuse_device *dev);
void abuse_queue_front(struct abuse_device *dev, struct abuse_slot *slot);
void abuse_queue_take(struct abuse_device *dev, struct abuse_slot *slot);
void abuse_queues_settle(struct abuse_device *dev);
struct abuse_queue *abuse_queue_at_home(const struct abuse_device *dev);
bool abuse_any_pending(const struct abuse_device *dev);
void abuse_wake_one(struct abuse_device *dev, struct abuse_queue *queue);
void abuse_wake_next(struct abuse_device *dev);
void abuse_wake_all(struct abuse_device *dev);

/* ---- limit.c: how many requests are in service at once ------------------ */

void abuse_limit_arrive(struct abuse_device *dev, struct abuse_queue *queue,
			struct abuse_slot *slot);
void abuse_limit_leave_backlog(struct abuse_device *dev, struct abuse_slot *slot);
void abuse_limit_promote(struct abuse_device *dev);
void abuse_uncount(struct abuse_device *dev, unsigned int n);
void abuse_set_limit(struct abuse_device *dev, u32 limit);

/* ---- polled.c: submitters that do not sleep ------------------------------- */

#if ABUSE_HAVE_POLL_FEATURE
void abuse_map_queues(struct blk_mq_tag_set *set);
int abuse_poll(struct blk_mq_hw_ctx *hctx, struct io_comp_batch *batch);
void abuse_start_request(struct request *rq);
#endif

/* ---- submit.c: a request arrives ---------------------------------------- */

extern const struct blk_mq_ops abuse_mq_ops;

blk_status_t abuse_submit_check(const struct abuse_device *dev,
				struct request *rq);
struct abuse_slot *abuse_submit_begin(struct abuse_device *dev,
				      struct request *rq);
bool abuse_submit_flush(struct abuse_device *dev, struct abuse_slot *slot);

/* ---- fetch.c: requests are handed out ----------------------------------- */

/* An abuse_request on its way to the caller, as small as it can be on the stack. */
struct abuse_dispatch {
	u64 id;
	u64 sector;
	u32 length;
	u32 offset;	/* in the buffer: 512 requests of 1 MiB fit */
	u16 op;
	u16 flags;
	u16 ioprio;
	u16 write_hint;
};

/* The requests that one call asks for, and how far it has come. */
struct abuse_wish {
	unsigned int left;		/* how many more; 0 = go no further */
	u64 buffer_size;		/* 0 = payloads are not wanted */
	u64 used;			/* of it */
	bool woken;			/* after abuse_fetch_wait(): owes a wake-up */
	struct abuse_queue *queue;	/* of what it was given, or NULL */
};

int abuse_fetch(struct abuse_server *srv, struct abuse_wish *wish,
		struct abuse_dispatch *requests, unsigned int max);
int abuse_fetch_wait(struct abuse_server *srv, ktime_t *deadline, u64 *spin_ns);

/* ---- claim.c: one call has a request to itself ----------------------------- */

/*
 * Requests that a call completed and has not settled yet: files are given their jobs, the
 * block layer is told of the batch, and counts and queue limit are brought up to
 * date. It does so before it can sleep, or it would keep others' requests from
 * ending or out of the limit.
 */
struct abuse_tally {
	struct abuse_jobs jobs;	/* for files; no lane has them yet */
	struct abuse_target *target;	/* that a reply named last, and we have a reference */
	u32 file;		/* it is registered as */
	unsigned int served;
	unsigned int failed;
	unsigned int counted;	/* of these, within the queue limit */
	u64 bytes;		/* of these, read and written */
	unsigned int nr_batch;
	struct io_comp_batch batch;	/* no slot names these any more */
};

struct abuse_claim {
	struct abuse_server *srv;
	u64 id;
	bool held;			/* through exchange; else pending */
	struct abuse_slot *slot;	/* while claimed */
	struct abuse_tally *tally;	/* the call's; NULL if it ends none */
};

struct abuse_copy;

/*
 * Takes the request that srv holds under this id; NULL: it does not, or no more. In line,
 * an optimisation of abuse_claim() for nearly every reply, which needs no more of a
 * claim than its slot as long as nothing faults.
 */
static inline struct abuse_slot *abuse_claim_held(const struct abuse_server *srv,
						  u64 id)
{
	struct abuse_slot *slot = abuse_slot_at(srv->dev, id);

	if (!slot || abuse_slot_word(slot) != abuse_id_word(id, ABUSE_HELD) ||
	    READ_ONCE(slot->holder) != srv ||
	    !abuse_slot_try(slot, id, ABUSE_HELD, ABUSE_CLAIMED_HELD))
		return NULL;
	return slot;
}

struct abuse_slot *abuse_claim_find(const struct abuse_claim *claim);
int abuse_check_pending(const struct abuse_claim *claim,
			const struct abuse_slot *slot);
int abuse_claim(struct abuse_claim *claim);
bool abuse_unclaim(struct abuse_claim *claim);
int abuse_claim_copy(struct abuse_claim *claim, struct abuse_copy *copy);
void abuse_end_doomed(struct abuse_device *dev, struct abuse_slot *slot);

/* ---- complete.c: a request is answered ----------------------------------- */

unsigned int abuse_answer(struct abuse_server *srv,
			  struct abuse_reply *replies, unsigned int n);
bool abuse_claim_end(struct abuse_claim *claim, u32 error);
int abuse_take_payload(struct abuse_server *srv, u64 id, void __user *to,
		       size_t len);
void abuse_end(struct request *rq, u32 error);
void abuse_end_in_place(struct abuse_device *dev, struct request *rq,
			struct abuse_tally *tally);
void abuse_end_redirected(struct abuse_device *dev, struct abuse_slot *slot,
			  struct abuse_tally *tally, u32 error);
void abuse_settle(struct abuse_device *dev, struct abuse_tally *tally);

/* ---- latency.c: histograms -------------------------------------------------------- */

DECLARE_STATIC_KEY_FALSE(abuse_latency_key);
extern const struct attribute_group abuse_latency_group;
void abuse_latency_record(struct abuse_device *dev, const struct request *rq);
void abuse_latency_stop(void);

/* Of a request that is about to end because a server or a file completed it. */
static __always_inline void abuse_latency_note(struct abuse_device *dev,
					       const struct request *rq)
{
	if (static_branch_unlikely(&abuse_latency_key))
		abuse_latency_record(dev, rq);
}

/* ---- redirect.c: a file answers ------------------------------------------- */

int abuse_redirect(struct abuse_server *srv, struct abuse_slot *slot,
		   const struct abuse_reply *reply, struct abuse_tally *tally);
void abuse_redirect_mapped(struct abuse_device *dev, struct request *rq,
			   const struct abuse_place *place,
			   struct abuse_tally *tally);
bool abuse_redirect_is_mapped(const struct abuse_device *dev, u32 number,
			      u64 *sector, u64 *end, u32 *seq);
bool abuse_redirect_do(struct abuse_job *job, size_t *bytes);
void abuse_redirect_end(struct abuse_device *dev, const struct abuse_jobs *jobs);
bool abuse_any_redirected(const struct abuse_device *dev);
int abuse_redirect_start(struct abuse_device *dev);
void abuse_redirect_stop(struct abuse_device *dev);

/* ---- redirect_io.c: the I/O on the file ------------------------------------ */

void abuse_target_begin(struct abuse_target *target);
int abuse_target_sync(struct abuse_target *target);

/* ---- map.c: ranges that the kernel serves alone ------------------------------- */

extern struct srcu_struct abuse_map_srcu;

bool abuse_map_find(const struct abuse_mapping *map, u64 sector, u64 end,
		    u32 right, struct abuse_place *place);
struct abuse_extent *abuse_map_search(const struct abuse_mapping *map,
				      u64 sector);
void abuse_map_set(struct abuse_mapping *map, const struct abuse_map_entry *entry,
		   struct abuse_target *target, struct abuse_spares *spares);
void abuse_map_clear(struct abuse_mapping *map, u64 sector, u64 end, u32 rights,
		     struct abuse_spares *spares);
int abuse_spares_alloc(struct abuse_spares *spares, unsigned int n);
void abuse_spares_free(struct abuse_spares *spares);
int abuse_map_start(struct abuse_device *dev);
void abuse_map_open(struct abuse_device *dev);
void abuse_map_commit(struct abuse_device *dev, struct abuse_spares *spares);
void abuse_map_expect_change(struct abuse_device *dev);
void abuse_map_resize(struct abuse_device *dev, u64 capacity);
void abuse_map_close(struct abuse_device *dev);
void abuse_map_stop(struct abuse_device *dev);
int abuse_map_init(void);
void abuse_map_exit(void);

/* ---- map_read.c: READs from the page cache of a file ------------------------------ */

bool abuse_file_has_own_pages(const struct file *file);
bool abuse_map_read(struct request *rq, const struct abuse_place *place);

/* ---- map_submit.c: a request arrives, and there is a map --------------------------- */

bool abuse_map_submit(struct abuse_device *dev, struct abuse_queue *queue,
		      struct request *rq, bool last);
void abuse_map_submit_list(struct abuse_device *dev, struct rq_list *list);
void abuse_map_submit_end(struct abuse_device *dev, u32 number);

/* ---- map_files.c: the files of a map ------------------------------------------------- */

int abuse_map_files_add(struct abuse_device *dev, struct abuse_target *target);
void abuse_map_files_check(struct abuse_device *dev);
void abuse_map_files_drop(struct abuse_device *dev);
void abuse_map_files_forget(struct abuse_device *dev);
int abuse_map_files_sync(struct abuse_device *dev, bool is_whole);
void abuse_map_file_ran(struct abuse_target *target, bool wrote);

/* ---- map_call.c: MAP and GET_MAP ------------------------------------------------------ */

long abuse_map(struct abuse_server *srv, void __user *arg);
long abuse_get_map(struct abuse_server *srv, void __user *arg);

/* ---- lanes.c: workers for what files answer --------------------------------- */

void abuse_lane_append(struct abuse_device *dev, const struct abuse_jobs *jobs);
void abuse_lane_submit(struct abuse_device *dev, u32 number,
		       const struct abuse_jobs *jobs, bool call);
void abuse_lane_resume(struct abuse_device *dev, struct abuse_job *job);
void abuse_lanes_queue_work(struct abuse_device *dev, struct work_struct *work);
int abuse_lanes_start(struct abuse_device *dev);
void abuse_lanes_stop(struct abuse_device *dev);

/* ---- files.c: what a server registered ------------------------------------ */

long abuse_register_file(struct abuse_server *srv, void __user *arg);
long abuse_unregister_file(struct abuse_server *srv, unsigned long index);
void abuse_unregister_files(struct abuse_server *srv);
struct abuse_target *abuse_target_get(struct abuse_server *srv, u32 index);
void abuse_target_put(struct abuse_target *target);
void abuse_target_release(struct abuse_target *target);
void abuse_targets_wait_closed(struct abuse_device *dev, int begun);
int abuse_target_stack(struct abuse_target *target);
void abuse_target_unstack(struct abuse_target *target);
void abuse_targets_close(struct work_struct *work);

/* ---- fdinfo.c: what /proc shows of a server ---------------------------------- */

void abuse_server_show_fdinfo(struct seq_file *m, struct file *file);

/* ---- copy.c: bytes between request pages and server memory -------------- */

/* Progress through one request's payload. */
struct abuse_copy {
	struct iovec piece;		/* what is left of the server's */
	const struct iovec *next;	/* those after it */
	const struct iovec *end;
	bool to_server;
	size_t len;
	size_t done;
	size_t stalled_at;		/* where it came up short last time */
	unsigned int stalls;		/* how often in a row */
};

void __user *abuse_user_ptr(u64 address);
int abuse_copy_init(struct abuse_copy *copy, bool to_server,
		    const struct iovec *iov, unsigned int nr_iov);
bool abuse_copy_some(struct abuse_copy *copy, struct request *rq);
bool abuse_copy_whole(struct request *rq, void __user *user, bool to_server);
int abuse_copy_fault_in(struct abuse_copy *copy);
void abuse_copy_zero(struct request *rq);

/* ---- recover.c: nobody answers ------------------------------------------- */

void abuse_return(struct abuse_server *srv, const struct abuse_dispatch *requests,
		  unsigned int n);
void abuse_return_all(struct abuse_server *srv);
void abuse_fail_all(struct abuse_device *dev);
void abuse_fail_beyond(struct abuse_device *dev, sector_t end);
void abuse_fail_older(struct abuse_device *dev, u64 before_ns);

/* ---- expire.c: the driver waits no longer ---------------------------------- */

void abuse_expire(struct work_struct *work);
void abuse_expire_anew(struct abuse_device *dev);
void abuse_expire_set_up(struct abuse_device *dev);
void abuse_watch_begin(struct abuse_device *dev);
void abuse_note_tick(struct abuse_device *dev);
void abuse_note_answer(struct abuse_device *dev, const struct abuse_slot *slot);
void abuse_revive(struct abuse_device *dev);
void abuse_claim_begins(struct abuse_device *dev);

/* After a request was queued, and the barrier of abuse_wake_one(). */
static inline void abuse_watch(struct abuse_device *dev)
{
	if (unlikely(!READ_ONCE(dev->is_watched)))
		abuse_watch_begin(dev);
}

/* ---- serving.c: the live servers -------------------------------------------------- */

void abuse_server_joins(struct abuse_server *srv, bool bound);
void abuse_server_leaves(struct abuse_server *srv, const struct mm_struct *gone);
void abuse_servers_forget(struct abuse_device *dev);
bool abuse_is_served(struct abuse_device *dev);
ssize_t abuse_servers_show(struct abuse_device *dev, char *buf);

/*
 * A server asks for requests, whether it is given some or not; bound: by EXCHANGE,
 * which is for one set-up alone.
 */
static inline void abuse_server_asks(struct abuse_server *srv, bool bound)
{
	if (unlikely(READ_ONCE(srv->asker) != current->mm))
		abuse_server_joins(srv, bound);
	if (unlikely(READ_ONCE(srv->dev->patience) == ABUSE_REVIVES))
		abuse_revive(srv->dev);
}

/* ---- device.c: life of one device ---------------------------------------- */

struct abuse_device *abuse_device_alloc(u32 number, kuid_t owner,
					const struct abuse_add *add,
					bool own_major);
int abuse_device_start(struct abuse_device *dev, struct abuse_params *params);
void abuse_device_set_state(struct abuse_device *dev, u32 state);
int abuse_device_kill(struct abuse_device *dev);
void abuse_device_stop(struct abuse_device *dev);
void abuse_device_get(struct abuse_device *dev);
void abuse_device_put(struct abuse_device *dev);
int abuse_device_end_all(struct abuse_device *dev);
void abuse_device_is_served(struct abuse_server *srv);
void abuse_device_is_announced(struct abuse_device *dev);

/* A device by an ordinary user: its content and its answers are not trusted. */
static inline bool abuse_device_is_users(const struct abuse_device *dev)
{
	return !uid_eq(dev->owner, GLOBAL_ROOT_UID);
}

/* ---- setup.c: set-up, live changes, reset --------------------------------- */

int abuse_device_set_up(struct abuse_server *srv, struct abuse_params *params,
			bool live);
int abuse_device_configure(struct abuse_device *dev, struct abuse_params *params);
void abuse_device_come_up(struct abuse_device *dev, const struct abuse_params *params);
void abuse_device_appear(struct abuse_device *dev);
int abuse_device_reconnect(struct abuse_server *srv,
			   const struct abuse_params *params);
int abuse_device_fail(struct abuse_server *srv);
int abuse_device_reset(struct abuse_server *srv);

/* ---- disk.c: the block layer's side of a device --------------------------- */

int abuse_disk_create(struct abuse_device *dev);
int abuse_disk_start(struct abuse_device *dev);
void abuse_disk_stop(struct abuse_device *dev);
void abuse_disk_destroy(struct abuse_device *dev);
struct abuse_device *abuse_disk_device(const struct gendisk *disk);
int abuse_disk_drop_partitions(struct abuse_device *dev);
void abuse_disk_new_medium(struct abuse_device *dev);
int abuse_disk_set_limits(struct abuse_device *dev,
			  const struct abuse_params *params);
void abuse_disk_event(struct abuse_device *dev, const char *state);

/* ---- index.c: the numbers of all devices ---------------------------------- */

/* A device that ADD is about to make. */
struct abuse_birth {
	kuid_t owner;
	bool own_major;
	struct abuse_params *params;	/* set up so; or NULL */
	struct abuse_device *dev;	/* in the index; not yet started */
	bool was_removed;		/* a device of that number, before */
	struct file *file;		/* handle.c; or NULL */
	int fd;				/* for it */
};

extern struct mutex abuse_index_lock;

struct abuse_device *abuse_index_get(u32 number);
int abuse_index_reserve(struct abuse_add *add, struct abuse_birth *birth);
int abuse_index_start(struct abuse_birth *birth);
void abuse_index_cancel(const struct abuse_birth *birth);
int abuse_index_add(struct abuse_add *add, kuid_t owner, bool own_major);
int abuse_index_add_on_demand(u32 number);
int abuse_index_remove(u32 number);
int abuse_index_get_free(void);
int abuse_index_owner(kuid_t *owner);
int abuse_index_check_identity(const struct abuse_device *self,
			       const char *name, const u8 *uuid);
void abuse_index_remove_all(void);
void abuse_index_each(void (*fn)(struct abuse_device *dev));

/* ---- access.c: permission to open and to use ------------------------------------- */

bool abuse_access_is_admitted(const struct abuse_device *dev);
int abuse_access_disk(const struct abuse_device *dev, bool admin);
void abuse_access_explain(const struct abuse_device *dev);
int abuse_access_admit(struct abuse_device *dev, bool admit);
int abuse_access_node(const struct abuse_server *srv);
int abuse_server_check(const struct abuse_server *srv);

/* ---- evict.c: the locks and polls of descriptors ------------------------------- */

void abuse_descriptor_add(struct abuse_server *srv);
void abuse_descriptor_remove(struct abuse_server *srv);
void abuse_descriptors_evict(struct abuse_device *dev);
void abuse_pollers_wait(struct file *file, struct poll_table_struct *wait);
void abuse_pollers_wake(struct abuse_device *dev, __poll_t events);
int abuse_server_flock(struct file *file, int cmd, struct file_lock *lock);
int abuse_server_lock(struct file *file, int cmd, struct file_lock *lock);

/* ---- pace.c: how fast users change devices ---------------------------------------- */

int abuse_pace(void);
void abuse_pace_forget_all(void);

/* ---- server.c, exchange.c, legacy.c, control.c: calls from user space ------- */

extern const struct file_operations abuse_server_fops;
extern struct miscdevice abuse_control_misc;

bool abuse_server_is_over(const struct abuse_server *srv);
struct abuse_server *abuse_server_alloc(struct abuse_device *dev);
void abuse_server_attach(struct abuse_server *srv, struct file *file);
int abuse_server_bind(struct abuse_server *srv);
int abuse_read_sized(void *to, size_t known, size_t least,
		     const void __user *from);
long abuse_exchange(struct abuse_server *srv, void __user *arg);
long abuse_get_status(struct abuse_server *srv, void __user *arg);
long abuse_set_status(struct abuse_server *srv, void __user *arg);
long abuse_get_bio(struct abuse_server *srv, void __user *arg);
long abuse_put_bio(struct abuse_server *srv, void __user *arg);
long abuse_set_params(struct abuse_server *srv, void __user *arg);
long abuse_get_params(struct abuse_server *srv, void __user *arg);
void abuse_forget_handed(struct abuse_server *srv);
bool abuse_poll_ready(struct abuse_server *srv);

/* ---- handle.c: descriptors without a node -------------------------------------- */

int abuse_handle_open(struct abuse_birth *birth);
int abuse_handle_install(struct abuse_birth *birth);
void abuse_handle_cancel(struct abuse_birth *birth);
void abuse_handle_close(struct abuse_device *dev);

/* ---- stats.c: counters, attributes of the control node ----------------------- */

#define abuse_count(dev, field, n)	this_cpu_add((dev)->stats->field, n)

struct abuse_stats abuse_stats_since_set_up(const struct abuse_device *dev);
void abuse_stats_set_up(struct abuse_device *dev);
unsigned int abuse_count_unanswered(const struct abuse_device *dev);

extern const struct attribute_group *abuse_attribute_groups[];

/* ---- main.c: parameters and majors ------------------------------------------- */

extern struct workqueue_struct *abuse_wq;	/* never waits for a server */
extern struct workqueue_struct *abuse_patient_wq; /* may */
extern struct class *abuse_class;
extern int abuse_block_major;
extern bool abuse_major_is_chosen;
extern int abuse_node_major;
extern unsigned int abuse_minor_shift;
extern unsigned int abuse_numbers;	/* numbers are below this */
extern unsigned int abuse_max_part;
extern unsigned int abuse_user_timeout;	/* seconds, as the next */
extern unsigned int abuse_unserved_timeout;
extern unsigned int abuse_user_floor;	/* bytes */
extern unsigned int abuse_user_floor_requests;
extern unsigned int abuse_user_devices;
extern unsigned int abuse_user_depth;

#endif /* ABUSE_H */
