// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who does what files answer, and when: each hardware queue has a lane, where jobs
 * wait for its workers. One worker does them one after the other and ends them some at
 * a time. If it sleeps in a file, the next one, which was called beforehand, ends what
 * is over and goes on with the rest. Knows no requests; redirect.c enters, and does
 * the job.
 *
 * Memory reclaim may wait for redirected requests, so that they must not wait for
 * memory. A workqueue promises that with WQ_MEM_RECLAIM, but then its workers must not
 * flush a workqueue without the flag, and file systems do (XFS flushes its own when it is
 * full): the kernel warns. So the workqueue is an ordinary one, as the loop driver's is,
 * and the promise is kept by a kernel thread per device, the reserve. If a worker that
 * was called does not come, because the kernel has no memory for another one, the reserve
 * does the lane's jobs in its place, one at a time. It cannot help if the file system
 * itself waits for memory or for such a worker.
 */
#include <linux/kthread.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "abuse.h"

/* That may sleep in files at once, of one lane and on one processor. */
#define ABUSE_LANE_WORKERS	128

/* After so many bytes a worker lets others have the processor. */
#define ABUSE_LANE_STINT	(256 << 10)

/* So many jobs at most are over before they are ended. */
#define ABUSE_LANE_BATCH	16

/* A worker that has not begun this long after it was called is late. */
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
	struct abuse_jobs over;
	unsigned int nr_over;
	struct list_head idle;
	bool is_called;			/* a worker is on its way */
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
 * Looks for workers that are late, once in a while. The work that does so is not pending
 * any more when it takes the lanes' locks: it sees who was called, or is queued again.
 */
static void abuse_lanes_watch(struct abuse_lanes *lanes)
{
	if (!delayed_work_pending(&lanes->watch_work))
		queue_delayed_work(abuse_wq, &lanes->watch_work,
				   ABUSE_LANE_PATIENCE);
}

/* Whenever something is left there is a worker on its way, or none idle. */
static void call_worker(struct abuse_lane *lane)
{
	struct abuse_worker *worker;

	lockdep_assert_held(&lane->lock);
	if (lane->is_called || (!lane->todo.first && !lane->over.first))
		return;
	worker = list_first_entry_or_null(&lane->idle, struct abuse_worker,
					  node);
	if (!worker)
		return;
	list_del(&worker->node);
	lane->called_at = jiffies;
	lane->is_called = true;
	queue_work(lane->dev->lanes->wq, &worker->work);
	abuse_lanes_watch(lane->dev->lanes);
}

static struct abuse_job *next_job(struct abuse_lane *lane)
{
	struct abuse_job *job = lane->todo.first;

	lockdep_assert_held(&lane->lock);
	if (job)
		lane->todo.first = job->next;
	return job;
}

static void end_over(struct abuse_lane *lane)
{
	struct abuse_jobs over = lane->over;

	lockdep_assert_held(&lane->lock);
	if (!over.first)
		return;
	lane->over.first = NULL;
	lane->nr_over = 0;
	spin_unlock_irq(&lane->lock);
	abuse_redirect_end(lane->dev, &over);
	spin_lock_irq(&lane->lock);
}

/* Of how many bytes it is. */
static size_t do_job(struct abuse_lane *lane, struct abuse_job *job)
{
	size_t bytes;
	bool is_over;

	/* For the case that this one sleeps. */
	call_worker(lane);
	/* It is the last: nobody else would end these. */
	if (!lane->is_called)
		end_over(lane);
	spin_unlock_irq(&lane->lock);
	is_over = abuse_redirect_do(job, &bytes);
	spin_lock_irq(&lane->lock);
	if (is_over) {
		abuse_job_append(&lane->over, job);
		if (++lane->nr_over == ABUSE_LANE_BATCH)
			end_over(lane);
	}
	return bytes;
}

static void lane_work(struct work_struct *work)
{
	struct abuse_worker *worker = container_of(work, struct abuse_worker,
						   work);
	struct abuse_lane *lane = worker->lane;
	struct abuse_job *job;
	size_t bytes = 0;

	spin_lock_irq(&lane->lock);
	lane->is_called = false;
	/* Whoever did these sleeps. */
	end_over(lane);
	while (bytes < ABUSE_LANE_STINT && (job = next_job(lane)))
		bytes += do_job(lane, job);
	end_over(lane);
	list_add(&worker->node, &lane->idle);
	call_worker(lane);
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

/* What the late worker would do, until it comes. */
static void abuse_lane_relieve(struct abuse_lane *lane)
{
	struct abuse_job *job;

	spin_lock_irq(&lane->lock);
	while (abuse_lane_is_late(lane)) {
		end_over(lane);
		job = next_job(lane);
		if (!job)
			break;
		do_job(lane, job);
	}
	/* It does not come for these alone. */
	end_over(lane);
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

static struct abuse_lane *lane_at_home(const struct abuse_device *dev)
{
	return &dev->lanes->lane[abuse_queue_at_home(dev) - dev->queues];
}

/* All of a call at once, in their order. */
void abuse_lane_append(struct abuse_device *dev, const struct abuse_jobs *jobs)
{
	struct abuse_lane *lane = lane_at_home(dev);
	unsigned long flags;

	spin_lock_irqsave(&lane->lock, flags);
	if (lane->todo.first)
		lane->todo.last->next = jobs->first;
	else
		lane->todo.first = jobs->first;
	lane->todo.last = jobs->last;
	call_worker(lane);
	spin_unlock_irqrestore(&lane->lock, flags);
}

/* Before all others: it was begun. In any context. */
void abuse_lane_resume(struct abuse_device *dev, struct abuse_job *job)
{
	struct abuse_lane *lane = lane_at_home(dev);
	unsigned long flags;

	spin_lock_irqsave(&lane->lock, flags);
	job->next = lane->todo.first;
	if (!job->next)
		lane->todo.last = job;
	lane->todo.first = job;
	call_worker(lane);
	spin_unlock_irqrestore(&lane->lock, flags);
}

static void lane_init(struct abuse_lane *lane, struct abuse_device *dev)
{
	struct abuse_worker *worker;

	lane->dev = dev;
	spin_lock_init(&lane->lock);
	INIT_LIST_HEAD(&lane->idle);
	for (worker = lane->workers;
	     worker < lane->workers + ABUSE_LANE_WORKERS; worker++) {
		worker->lane = lane;
		INIT_WORK(&worker->work, lane_work);
		list_add_tail(&worker->node, &lane->idle);
	}
}

/* Not a request: on the workers, beside the lanes. */
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
 * Workers of the device's own: a file may lie on another of our disks, which must not
 * wait for workers that wait for it.
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
		lane_init(&lanes->lane[i], dev);
	err = abuse_lanes_start_threads(lanes);
	if (err) {
		kvfree(lanes);
		return err;
	}
	dev->lanes = lanes;
	return 0;
}

/* There are no jobs any more, nor will be; who did the last one may still be here. */
void abuse_lanes_stop(struct abuse_device *dev)
{
	struct abuse_lanes *lanes = dev->lanes;

	destroy_workqueue(lanes->wq);
	cancel_delayed_work_sync(&lanes->watch_work);
	kthread_stop(lanes->reserve);
	kvfree(lanes);
}
