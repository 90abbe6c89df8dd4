// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who does what files answer, and when: each hardware queue has a lane, where jobs
 * wait for its workers. One worker does them one after the other and ends them some at
 * a time. If it sleeps in a file, the next one, which was called beforehand, ends what
 * is over and goes on with the rest. Knows no requests; redirect.c enters, and does
 * the job.
 */
#include <linux/slab.h>

#include "abuse.h"

/* That may sleep in files at once, of one lane and on one processor. */
#define ABUSE_LANE_WORKERS	128

/* After so many bytes a worker lets others have the processor. */
#define ABUSE_LANE_STINT	(256 << 10)

/* So many jobs at most are over before they are ended. */
#define ABUSE_LANE_BATCH	16

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
	struct abuse_worker workers[ABUSE_LANE_WORKERS];
};

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
	lane->is_called = true;
	queue_work(lane->dev->redirect_wq, &worker->work);
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

static struct abuse_lane *lane_at_home(const struct abuse_device *dev)
{
	return &dev->lanes[abuse_queue_at_home(dev) - dev->queues];
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

/*
 * Workers of the device's own: a file may lie on another of our disks, which must not
 * wait for workers that wait for it.
 */
int abuse_lanes_start(struct abuse_device *dev)
{
	u32 i;

	dev->lanes = kvcalloc(dev->hw_queues, sizeof(*dev->lanes), GFP_KERNEL);
	if (!dev->lanes)
		return -ENOMEM;
	dev->redirect_wq = alloc_workqueue("abuse%u", ABUSE_WQ_PERCPU |
					   WQ_MEM_RECLAIM,
					   ABUSE_LANE_WORKERS, dev->number);
	if (!dev->redirect_wq) {
		kvfree(dev->lanes);
		return -ENOMEM;
	}
	for (i = 0; i < dev->hw_queues; i++)
		lane_init(&dev->lanes[i], dev);
	return 0;
}

/* There are no jobs any more, nor will be. */
void abuse_lanes_stop(struct abuse_device *dev)
{
	destroy_workqueue(dev->redirect_wq);
	kvfree(dev->lanes);
}
