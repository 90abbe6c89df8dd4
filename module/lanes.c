// SPDX-License-Identifier: GPL-2.0-only
// Copyright (C) 2026 the abuse authors
/*
 * Workers for redirected requests: each hardware queue has a lane, a list of jobs and the
 * workers for it. A worker does one job after the other and ends them in batches. Before
 * each job it calls the next worker. If the job sleeps in a file, that next worker ends
 * the jobs that are done and continues with the rest. This file knows no requests:
 * redirect.c appends jobs and does them.
 *
 * Memory reclaim may wait for redirected requests, so they must not wait for memory. A
 * workqueue with WQ_MEM_RECLAIM guarantees that, but its workers must not flush a
 * workqueue without that flag. File systems do flush such workqueues (XFS does when it is
 * full), and the kernel warns. So the workqueue here is an ordinary one, as in the loop
 * driver. A kernel thread per device, the reserve, gives the guarantee instead: if a
 * called worker does not begin, because the kernel has no memory to create another one,
 * the reserve does the jobs of the lane, one at a time. It cannot help if the file system
 * itself waits for memory or for such a worker.
 */
#include <linux/kthread.h>
#include <linux/sched.h>
#include <linux/sched/stat.h>
#include <linux/slab.h>

#include "abuse.h"

/* How many may sleep in files at the same time, per lane and per processor. */
#define ABUSE_LANE_WORKERS	128

/* Bytes after which a worker lets other work have the processor. */
#define ABUSE_LANE_QUANTUM	(256 << 10)

/* The largest number of jobs that are done but not ended. */
#define ABUSE_LANE_BATCH	16

/*
 * A lane is at home while its workers begin on the processor of the submitter. That is the cheapest if the
 * submitter sleeps, and the dearest if it goes on: each worker interrupts it, for a single job. After
 * LEAST_AT_HOME interruptions in a row the lane moves to a processor that the scheduler chooses, and stays
 * while workers find several jobs at a time there. After VAIN_AWAY workers in a row that found a single one
 * it comes home, and moves only after twice as many interruptions, MOST_AT_HOME at most.
 */
#define ABUSE_LANE_LEAST_AT_HOME	4
#define ABUSE_LANE_MOST_AT_HOME		4096
#define ABUSE_LANE_VAIN_AWAY		16

/* A called worker that has not begun after this time is late. */
#define ABUSE_LANE_PATIENCE	(HZ / 10)

struct abuse_worker {
	struct work_struct work;
	struct abuse_lane *lane;
	struct list_head node;		/* of idle */
};

struct abuse_lane {
	struct abuse_device *dev;
	spinlock_t lock;		/* I/O may end in an interrupt */
	struct abuse_jobs todo;
	struct abuse_jobs done;
	unsigned int nr_done;
	int cpu;			/* where workers begin; WORK_CPU_UNBOUND at home */
	unsigned int nr_in_vain;	/* in a row: workers for which it was the wrong one */
	unsigned int most_at_home;	/* of these, before it moves */
	struct work_struct move_work;
	struct list_head idle;
	bool is_called;			/* a worker is queued and has not begun */
	unsigned long called_at;	/* jiffies */
	struct abuse_worker workers[ABUSE_LANE_WORKERS];
};

/* Of one device. */
struct abuse_lanes {
	struct abuse_device *dev;
	struct workqueue_struct *wq;
	struct task_struct *reserve;
	wait_queue_head_t reserve_wait;
	bool is_reserve_called;
	struct delayed_work watch_work;	/* pending while a worker is called */
	struct abuse_lane lane[];	/* [queue] */
};

/*
 * Queues the search for late workers. The caller has set is_called before, under the lock
 * of the lane. If the work is still pending here, it begins later and sees is_called.
 */
static void abuse_lanes_watch(struct abuse_lanes *lanes)
{
	if (!delayed_work_pending(&lanes->watch_work))
		queue_delayed_work(abuse_wq, &lanes->watch_work,
				   ABUSE_LANE_PATIENCE);
}

/* While jobs are left, a worker is called, or all of them are busy. */
static void abuse_lane_call_worker(struct abuse_lane *lane)
{
	struct abuse_worker *worker;

	lockdep_assert_held(&lane->lock);
	if (lane->is_called || (!lane->todo.first && !lane->done.first))
		return;
	worker = list_first_entry_or_null(&lane->idle, struct abuse_worker,
					  node);
	if (!worker)
		return;
	list_del(&worker->node);
	lane->called_at = jiffies;
	lane->is_called = true;
	queue_work_on(lane->cpu, lane->dev->lanes->wq, &worker->work);
	abuse_lanes_watch(lane->dev->lanes);
}

static struct abuse_job *abuse_lane_next_job(struct abuse_lane *lane)
{
	struct abuse_job *job = lane->todo.first;

	lockdep_assert_held(&lane->lock);
	if (job)
		WRITE_ONCE(lane->todo.first, job->next);
	return job;
}

static void abuse_lane_end_done(struct abuse_lane *lane)
{
	struct abuse_jobs done = lane->done;

	lockdep_assert_held(&lane->lock);
	if (!done.first)
		return;
	lane->done.first = NULL;
	lane->nr_done = 0;
	spin_unlock_irq(&lane->lock);
	abuse_redirect_end(lane->dev, &done);
	spin_lock_irq(&lane->lock);
}

/* Returns the number of bytes of the request. */
static size_t abuse_lane_run_job(struct abuse_lane *lane, struct abuse_job *job)
{
	size_t bytes;
	bool is_done;

	/* In case this one sleeps. */
	abuse_lane_call_worker(lane);
	/* No other worker is left to end these if this one sleeps. */
	if (!lane->is_called)
		abuse_lane_end_done(lane);
	spin_unlock_irq(&lane->lock);
	is_done = abuse_redirect_do(job, &bytes);
	spin_lock_irq(&lane->lock);
	if (is_done) {
		abuse_job_append(&lane->done, job);
		if (++lane->nr_done == ABUSE_LANE_BATCH)
			abuse_lane_end_done(lane);
	}
	return bytes;
}

/* On a processor that has time, as the scheduler knows. */
static void abuse_lane_move_work(struct work_struct *work)
{
	struct abuse_lane *lane = container_of(work, struct abuse_lane,
					       move_work);

	spin_lock_irq(&lane->lock);
	lane->cpu = smp_processor_id();
	lane->nr_in_vain = 0;
	spin_unlock_irq(&lane->lock);
}

/* A worker begins: at home it is in vain if another task, mostly the submitter, had to stop for it. */
static void abuse_lane_learn_at_begin(struct abuse_lane *lane)
{
	lockdep_assert_held(&lane->lock);
	if (lane->cpu != WORK_CPU_UNBOUND)
		return;
	if (single_task_running())
		lane->nr_in_vain = 0;
	else if (++lane->nr_in_vain == lane->most_at_home)
		queue_work(abuse_wq, &lane->move_work);
}

/* A worker returns: away it was in vain if there was a single job. */
static void abuse_lane_learn_at_end(struct abuse_lane *lane, unsigned int nr_jobs)
{
	lockdep_assert_held(&lane->lock);
	if (lane->cpu == WORK_CPU_UNBOUND)
		return;
	if (nr_jobs > 1) {
		lane->nr_in_vain = 0;
		lane->most_at_home = ABUSE_LANE_LEAST_AT_HOME;
	} else if (++lane->nr_in_vain == ABUSE_LANE_VAIN_AWAY) {
		lane->cpu = WORK_CPU_UNBOUND;
		lane->nr_in_vain = 0;
		lane->most_at_home = min_t(unsigned int, 2 * lane->most_at_home,
					   ABUSE_LANE_MOST_AT_HOME);
	}
}

static void abuse_lane_work(struct work_struct *work)
{
	struct abuse_worker *worker = container_of(work, struct abuse_worker,
						   work);
	struct abuse_lane *lane = worker->lane;
	unsigned int nr_jobs = 0;
	struct abuse_job *job;
	size_t bytes = 0;

	spin_lock_irq(&lane->lock);
	lane->is_called = false;
	abuse_lane_learn_at_begin(lane);
	/* The worker that did these sleeps now. */
	abuse_lane_end_done(lane);
	while (bytes < ABUSE_LANE_QUANTUM && (job = abuse_lane_next_job(lane))) {
		bytes += abuse_lane_run_job(lane, job);
		nr_jobs++;
	}
	abuse_lane_end_done(lane);
	abuse_lane_learn_at_end(lane, nr_jobs);
	list_add(&worker->node, &lane->idle);
	abuse_lane_call_worker(lane);
	spin_unlock_irq(&lane->lock);
}

/* ---- the reserve ---------------------------------------------------------------- */

static bool abuse_lane_is_late(const struct abuse_lane *lane)
{
	lockdep_assert_held(&lane->lock);
	return lane->is_called &&
	       time_after_eq(jiffies, lane->called_at + ABUSE_LANE_PATIENCE);
}

static void abuse_lanes_watch_work(struct work_struct *work)
{
	struct abuse_lanes *lanes = container_of(to_delayed_work(work),
						 struct abuse_lanes,
						 watch_work);
	bool is_called = false, late = false;
	u32 i;

	for (i = 0; i < lanes->dev->hw_queues; i++) {
		spin_lock_irq(&lanes->lane[i].lock);
		is_called |= lanes->lane[i].is_called;
		late |= abuse_lane_is_late(&lanes->lane[i]);
		spin_unlock_irq(&lanes->lane[i].lock);
	}
	if (late) {
		WRITE_ONCE(lanes->is_reserve_called, true);
		wake_up(&lanes->reserve_wait);
	}
	if (is_called)
		abuse_lanes_watch(lanes);
}

/* Does what the late worker would do, until that worker begins. */
static void abuse_lane_relieve(struct abuse_lane *lane)
{
	struct abuse_job *job;

	spin_lock_irq(&lane->lock);
	while (abuse_lane_is_late(lane)) {
		abuse_lane_end_done(lane);
		job = abuse_lane_next_job(lane);
		if (!job)
			break;
		abuse_lane_run_job(lane, job);
	}
	/* Nothing calls a worker for these alone. */
	abuse_lane_end_done(lane);
	spin_unlock_irq(&lane->lock);
}

static int abuse_lanes_reserve(void *data)
{
	struct abuse_lanes *lanes = data;
	u32 i;

	while (!kthread_should_stop()) {
		wait_event_idle(lanes->reserve_wait,
				READ_ONCE(lanes->is_reserve_called) ||
				kthread_should_stop());
		WRITE_ONCE(lanes->is_reserve_called, false);
		for (i = 0; i < lanes->dev->hw_queues; i++)
			abuse_lane_relieve(&lanes->lane[i]);
	}
	return 0;
}

/* ---- entry ---------------------------------------------------------------------- */

static void abuse_lane_add_jobs(struct abuse_lane *lane,
				const struct abuse_jobs *jobs)
{
	lockdep_assert_held(&lane->lock);
	if (!jobs->first)
		return;
	if (lane->todo.first)
		lane->todo.last->next = jobs->first;
	else
		WRITE_ONCE(lane->todo.first, jobs->first);
	lane->todo.last = jobs->last;
}

/* Jobs, or none, of a submitter; call: those of his that wait begin now, too. */
void abuse_lane_submit(struct abuse_device *dev, u32 number,
		       const struct abuse_jobs *jobs, bool call)
{
	struct abuse_lane *lane = &dev->lanes->lane[number];
	unsigned long flags;

	/* Nobody has added to it since the caller did. */
	if (!jobs->first && !READ_ONCE(lane->todo.first))
		return;
	spin_lock_irqsave(&lane->lock, flags);
	abuse_lane_add_jobs(lane, jobs);
	if (call)
		abuse_lane_call_worker(lane);
	spin_unlock_irqrestore(&lane->lock, flags);
}

static struct abuse_lane *abuse_lane_at_home(const struct abuse_device *dev)
{
	return &dev->lanes->lane[abuse_queue_at_home(dev) - dev->queues];
}

/* Appends all jobs of a call, in their order. */
void abuse_lane_append(struct abuse_device *dev, const struct abuse_jobs *jobs)
{
	struct abuse_lane *lane = abuse_lane_at_home(dev);
	unsigned long flags;

	spin_lock_irqsave(&lane->lock, flags);
	abuse_lane_add_jobs(lane, jobs);
	abuse_lane_call_worker(lane);
	spin_unlock_irqrestore(&lane->lock, flags);
}

/* Puts a job that was begun before all others. In any context. */
void abuse_lane_resume(struct abuse_device *dev, struct abuse_job *job)
{
	struct abuse_lane *lane = abuse_lane_at_home(dev);
	unsigned long flags;

	spin_lock_irqsave(&lane->lock, flags);
	job->next = lane->todo.first;
	if (!job->next)
		lane->todo.last = job;
	WRITE_ONCE(lane->todo.first, job);
	abuse_lane_call_worker(lane);
	spin_unlock_irqrestore(&lane->lock, flags);
}

static void abuse_lane_init(struct abuse_lane *lane, struct abuse_device *dev)
{
	struct abuse_worker *worker;

	lane->dev = dev;
	lane->cpu = WORK_CPU_UNBOUND;
	lane->most_at_home = ABUSE_LANE_LEAST_AT_HOME;
	INIT_WORK(&lane->move_work, abuse_lane_move_work);
	spin_lock_init(&lane->lock);
	INIT_LIST_HEAD(&lane->idle);
	for (worker = lane->workers;
	     worker < lane->workers + ABUSE_LANE_WORKERS; worker++) {
		worker->lane = lane;
		INIT_WORK(&worker->work, abuse_lane_work);
		list_add_tail(&worker->node, &lane->idle);
	}
}

/* Runs other work of the device on the workqueue of its lanes. */
void abuse_lanes_queue_work(struct abuse_device *dev, struct work_struct *work)
{
	queue_work(dev->lanes->wq, work);
}

/* ---- beginning and end ------------------------------------------------------------ */

static int abuse_lanes_start_threads(struct abuse_lanes *lanes)
{
	u32 number = lanes->dev->number;
	int err;

	lanes->wq = alloc_workqueue("abuse%u", ABUSE_WQ_PERCPU,
				    ABUSE_LANE_WORKERS, number);
	if (!lanes->wq)
		return -ENOMEM;
	lanes->reserve = kthread_run(abuse_lanes_reserve, lanes, "abuse%u_reserve",
				     number);
	if (!IS_ERR(lanes->reserve))
		return 0;
	err = PTR_ERR(lanes->reserve);
	destroy_workqueue(lanes->wq);
	return err;
}

/*
 * Each device has workers of its own: its files may lie on another disk of this driver,
 * whose requests must not wait for workers that wait for that disk.
 */
int abuse_lanes_start(struct abuse_device *dev)
{
	struct abuse_lanes *lanes;
	int err;
	u32 i;

	lanes = kvzalloc(struct_size(lanes, lane, dev->hw_queues),
			 GFP_KERNEL_ACCOUNT);
	if (!lanes)
		return -ENOMEM;
	lanes->dev = dev;
	init_waitqueue_head(&lanes->reserve_wait);
	INIT_DELAYED_WORK(&lanes->watch_work, abuse_lanes_watch_work);
	for (i = 0; i < dev->hw_queues; i++)
		abuse_lane_init(&lanes->lane[i], dev);
	err = abuse_lanes_start_threads(lanes);
	if (err) {
		kvfree(lanes);
		return err;
	}
	/* commit_rqs sees it complete. */
	smp_store_release(&dev->lanes, lanes);
	return 0;
}

/* All jobs have ended and no more come. The worker of the last one may still return. */
void abuse_lanes_stop(struct abuse_device *dev)
{
	struct abuse_lanes *lanes = dev->lanes;
	u32 i;

	destroy_workqueue(lanes->wq);
	for (i = 0; i < dev->hw_queues; i++)
		cancel_work_sync(&lanes->lane[i].move_work);
	cancel_delayed_work_sync(&lanes->watch_work);
	kthread_stop(lanes->reserve);
	kvfree(lanes);
}
