/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * Enough of the kernel to run queue.c, limit.c and fetch.c of the module in one thread of
 * user space. Actors are coroutines. Each access to shared memory is a point at which
 * another actor may go on, chosen by a generator with a seed, so that a schedule that
 * fails comes again. Memory is sequentially consistent: barriers are not tested.
 */
#ifndef TESTS_KERNEL_H
#define TESTS_KERNEL_H

#include <errno.h>
#include <setjmp.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <ucontext.h>
#include <linux/abuse.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int64_t s64;
typedef int64_t ktime_t;
typedef u64 sector_t;

#define __user
#define __percpu
#define ____cacheline_aligned_in_smp
#undef __always_inline
#define __always_inline		inline __attribute__((always_inline))
#define noinline		__attribute__((noinline))
#define likely(x)		(x)
#define unlikely(x)		(x)

/* Latencies are not recorded here. */
#define DECLARE_STATIC_KEY_FALSE(name)	struct name
#define static_branch_unlikely(key)	false

/* ---- actors --------------------------------------------------------------------- */

#define MAX_ACTORS	8

struct task_struct {
	jmp_buf context;
	char stack[64 * 1024];
	void (*main)(unsigned int number);
	bool is_over, is_blocked;	/* blocked: by a lock, or asleep */
	bool is_interrupted, is_spinning;
	unsigned int cpu;
	u64 timer_slack_ns;
	struct mm_struct *mm;		/* none: all are one process */
};

static struct task_struct actors[MAX_ACTORS], *current;
static unsigned int nr_actors;
static jmp_buf scheduler;
static u64 chance;
static bool alone;		/* no other actor goes on */
static unsigned int most_spinning;	/* at once, of one processor */
static void (*each_step)(void);

static inline unsigned int chance_of(unsigned int n)
{
	chance = chance * 6364136223846793005ULL + 1442695040888963407ULL;
	return (chance >> 33) % n;
}

static inline void actor_switch(void)
{
	if (!_setjmp(current->context))
		_longjmp(scheduler, 1);
}

/* A point at which another actor may go on. */
static inline void yield(void)
{
	if (current && !alone && !chance_of(3))
		actor_switch();
}

static inline void actor_enter(void)
{
	struct task_struct *actor = &actors[nr_actors - 1];

	if (!_setjmp(actor->context))
		_longjmp(scheduler, 1);
	current->main(current - actors);
	current->is_over = true;
	_longjmp(scheduler, 1);
}

/* A stack of its own; from then on actors change places by jumps, without a system call. */
static inline void actor_start(void (*main)(unsigned int number), unsigned int cpu)
{
	struct task_struct *actor = &actors[nr_actors++];
	ucontext_t context;

	actor->main = main;
	actor->cpu = cpu;
	actor->is_over = actor->is_blocked = false;
	actor->is_interrupted = actor->is_spinning = false;
	getcontext(&context);
	context.uc_stack.ss_sp = actor->stack;
	context.uc_stack.ss_size = sizeof(actor->stack);
	context.uc_link = NULL;
	makecontext(&context, actor_enter, 0);
	if (!_setjmp(scheduler))
		setcontext(&context);
}

/* Until all are over or blocked for good. False: it does not end. */
static inline bool actors_run(void)
{
	for (unsigned int steps = 0; steps < 100000; steps++) {
		unsigned int ready[MAX_ACTORS], n = 0;

		for (unsigned int i = 0; i < nr_actors; i++)
			if (!actors[i].is_over && !actors[i].is_blocked)
				ready[n++] = i;
		if (!n)
			return true;
		current = &actors[ready[chance_of(n)]];
		if (!_setjmp(scheduler))
			_longjmp(current->context, 1);
		current = NULL;
		if (each_step)
			each_step();
	}
	return false;
}

/* ---- memory, atomics, locks ------------------------------------------------------- */

#define READ_ONCE(x)		(yield(), (x))
#define WRITE_ONCE(x, value)	(yield(), (void)((x) = (value)))
#define smp_load_acquire(p)	READ_ONCE(*(p))
#define smp_mb()		yield()

struct llist_head { void *first; };
struct llist_node { void *next; };
typedef u32 errseq_t;
typedef unsigned int seqcount_t, blk_status_t;
struct rb_node { void *next; };
struct rb_root { void *first; };
struct rq_list;
struct srcu_struct;
typedef struct { int n; } atomic_t;
typedef struct { u64 n; } atomic64_t;

#define atomic_read(a)		READ_ONCE((a)->n)
#define atomic64_read(a)	READ_ONCE((a)->n)
#define atomic64_read_acquire(a) READ_ONCE((a)->n)
#define atomic64_set_release(a, value) WRITE_ONCE((a)->n, value)
#define atomic_inc(a)		(yield(), (void)((a)->n++))
#define atomic_dec(a)		(yield(), (void)((a)->n--))
#define atomic_sub(k, a)	(yield(), (void)((a)->n -= (int)(k)))
#define cmpxchg(p, from, to) ({ \
	yield(); \
	typeof(*(p)) was_ = *(p); \
	*(p) = was_ == (typeof(was_))(from) ? (typeof(was_))(to) : was_; \
	was_; })
#define cmpxchg64		cmpxchg
#define atomic64_cmpxchg(a, from, to) cmpxchg(&(a)->n, from, to)

static inline bool atomic_try_cmpxchg(atomic_t *a, int *from, int to)
{
	int was = cmpxchg(&a->n, *from, to);

	if (was == *from)
		return true;
	*from = was;
	return false;
}

typedef struct { struct task_struct *owner; } spinlock_t;

#define spin_lock_init(lock)	((lock)->owner = NULL)
#define lockdep_assert_held(lock) ((void)(lock))

static inline void spin_lock(spinlock_t *lock)
{
	if (!current)
		return;
	yield();
	while (lock->owner)
		actor_switch();
	lock->owner = current;
}

static inline void spin_unlock(spinlock_t *lock)
{
	lock->owner = NULL;
	yield();
}

#define preempt_disable()	((void)0)
#define preempt_enable()	((void)0)
#define cpu_relax()		actor_spins()
/* Only the end of a busy-poll has one. */
#define smp_store_mb(x, value)	(WRITE_ONCE(x, value), (void)(current->is_spinning = false))
#define need_resched()		(!chance_of(4))
#define single_task_running()	true
#define signal_pending(task)	READ_ONCE((task)->is_interrupted)
#define local_clock()		(++now_ns)
#define raw_smp_processor_id()	(current ? current->cpu : 0)

static u64 now_ns;

static inline void actor_spins(void)
{
	unsigned int n = 0;

	current->is_spinning = true;
	for (unsigned int i = 0; i < nr_actors; i++)
		n += actors[i].is_spinning && actors[i].cpu == current->cpu;
	if (n > most_spinning)
		most_spinning = n;
	yield();
}

#define BUILD_BUG_ON(cond)	((void)sizeof(char[1 - 2 * !!(cond)]))
#define WARN_ON_ONCE(cond)	({ bool it_ = (cond); if (it_) abort(); it_; })
#define min(a, b)		((a) < (b) ? (a) : (b))
#define min_t(type, a, b)	min((type)(a), (type)(b))
#define ALIGN(n, to)		(((n) + (to) - 1) / (to) * (to))
#define array_index_nospec(i, n) (i)
#define get_jiffies_64()	0
#define jiffies64_to_nsecs(j)	(j)
#define GFP_KERNEL		0
#define kvcalloc(n, size, flags) calloc(n, size)
#define kvfree			free
#define this_cpu_add(x, n)	((x) += (n))
#define nr_cpu_ids		4
#define for_each_possible_cpu(cpu) for ((cpu) = 0; (cpu) < nr_cpu_ids; (cpu)++)

/* ---- lists ------------------------------------------------------------------------ */

struct list_head {
	struct list_head *next, *prev;
};

#define LIST_HEAD(name)		struct list_head name = { &(name), &(name) }
#define list_entry(p, type, member) ((type *)((char *)(p) - offsetof(type, member)))
#define list_next_of(pos, member) list_entry((pos)->member.next, typeof(*(pos)), member)
#define list_first_entry(head, type, member) list_entry((head)->next, type, member)
#define list_for_each_entry(pos, head, member) \
	for (pos = list_entry((head)->next, typeof(*pos), member); \
	     &pos->member != (head); pos = list_next_of(pos, member))
#define list_for_each_entry_safe(pos, n, head, member) \
	for (pos = list_entry((head)->next, typeof(*pos), member), \
	     n = list_next_of(pos, member); \
	     &pos->member != (head); pos = n, n = list_next_of(n, member))

static inline void INIT_LIST_HEAD(struct list_head *head)
{
	head->next = head->prev = head;
}

static inline bool list_empty(const struct list_head *head)
{
	return READ_ONCE(head->next) == head;
}

static inline void list_add(struct list_head *node, struct list_head *head)
{
	node->next = head->next;
	node->prev = head;
	head->next->prev = node;
	head->next = node;
}

static inline void list_add_tail(struct list_head *node, struct list_head *head)
{
	list_add(node, head->prev);
}

static inline void list_del(struct list_head *node)
{
	node->prev->next = node->next;
	node->next->prev = node->prev;
}

static inline void list_move_tail(struct list_head *node, struct list_head *head)
{
	list_del(node);
	list_add_tail(node, head);
}

static inline void list_cut_before(struct list_head *list, struct list_head *head,
				   struct list_head *entry)
{
	INIT_LIST_HEAD(list);
	while (head->next != entry)
		list_move_tail(head->next, list);
}

/* ---- sleep: exclusive waiters, which a wake-up takes off the queue ------------------ */

typedef struct { struct task_struct *first[MAX_ACTORS]; unsigned int n; } wait_queue_head_t;
typedef struct { wait_queue_head_t *at; } wait_queue_entry_t;

#define DEFINE_WAIT(name)	wait_queue_entry_t name = { NULL }
#define TASK_INTERRUPTIBLE	1
#define HRTIMER_MODE_ABS	0
#define EPOLLIN			0
#define EPOLLRDNORM		0
#define EPOLLMSG		0
#define init_waitqueue_head(wq)	((wq)->n = 0)
#define waitqueue_active(wq)	READ_ONCE((wq)->n)
#define wake_up_interruptible_poll(wq, mask) ((void)(wq))

static inline int wait_place(const wait_queue_head_t *wq, const struct task_struct *task)
{
	for (unsigned int i = 0; i < wq->n; i++)
		if (wq->first[i] == task)
			return i;
	return -1;
}

static inline void wait_leave(wait_queue_head_t *wq, unsigned int place)
{
	wq->first[place]->is_blocked = false;
	wq->n--;
	for (; place < wq->n; place++)
		wq->first[place] = wq->first[place + 1];
}

static inline void wake_up_interruptible(wait_queue_head_t *wq)
{
	yield();
	if (wq->n)
		wait_leave(wq, 0);
}

static inline void wake_up_interruptible_all(wait_queue_head_t *wq)
{
	yield();
	while (wq->n)
		wait_leave(wq, 0);
}

static inline void prepare_to_wait_exclusive(wait_queue_head_t *wq, wait_queue_entry_t *wait,
					     int state)
{
	(void)state;
	yield();
	wait->at = wq;
	if (wait_place(wq, current) < 0)
		wq->first[wq->n++] = current;
	yield();
}

static inline void finish_wait(wait_queue_head_t *wq, wait_queue_entry_t *wait)
{
	(void)wait;
	yield();
	if (wait_place(wq, current) >= 0)
		wait_leave(wq, wait_place(wq, current));
}

/* Sleeps until it is woken, which it may have been since it came to the queue. */
static inline int schedule_on(wait_queue_head_t *wq)
{
	yield();
	if (wait_place(wq, current) >= 0 && !current->is_interrupted) {
		current->is_blocked = true;
		actor_switch();
	}
	return 1;
}

#define schedule_hrtimeout_range(deadline, slack, mode) \
	((void)(deadline), (void)(slack), schedule_on(wait.at))

/* A signal comes. */
static inline void actor_interrupt(struct task_struct *actor)
{
	yield();
	actor->is_interrupted = true;
	actor->is_blocked = false;
}

/* ---- what abuse.h names and these parts do not use ----------------------------------- */

typedef struct { u32 val; } kuid_t;
#define GLOBAL_ROOT_UID		((kuid_t){ 0 })
#define uid_eq(a, b)		((a).val == (b).val)
struct kref { int n; };
struct mutex { int n; };
struct work_struct { int n; };
struct delayed_work { int n; };
struct xarray { int n; };
struct mmu_notifier { int n; };
struct io_comp_batch { int n; };
struct blk_mq_queue_map { unsigned int mq_map[4]; };
struct blk_mq_tag_set { struct blk_mq_queue_map map[1]; };

#define HCTX_TYPE_DEFAULT	0

/* ---- requests: all are READs --------------------------------------------------------- */

enum { REQ_OP_READ, REQ_OP_WRITE, REQ_OP_FLUSH, REQ_OP_DISCARD, REQ_OP_WRITE_ZEROES };
enum { REQ_FUA = 1, REQ_META = 2, REQ_RAHEAD = 4, REQ_SYNC = 8, REQ_BACKGROUND = 16,
       REQ_NOUNMAP = 32, REQ_ATOMIC = 64 };

#define ABUSE_MAP_QUEUES_FN(name, set)	void name(struct blk_mq_tag_set *set)
#define ABUSE_POLL_FN(name, hctx)	int name(void *hctx)

struct request {
	u32 cmd_flags;
	u64 sector;
};

static inline unsigned short req_get_ioprio(struct request *rq)
{
	return 0;
}

static inline unsigned int abuse_rq_write_hint(const struct request *rq)
{
	return 0;
}

#define req_op(rq)		((void)(rq), REQ_OP_READ)
#define blk_rq_pos(rq)		((rq)->sector)
#define blk_rq_sectors(rq)	((void)(rq), 8)
#define blk_rq_bytes(rq)	((void)(rq), 4096)
#define trace_abuse_requeued(dev, slot)		((void)(dev), (void)(slot))
#define trace_abuse_handed_out(dev, slot)	((void)(dev), (void)(slot))

#endif /* TESTS_KERNEL_H */
