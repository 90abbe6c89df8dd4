// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A server from open to free: configuration, threads and their end, event loops. All
 * queues share one descriptor: what this server holds then returns at once whichever
 * way it dies, and a device removed and added again between two opens cannot give two
 * threads two devices. turn.c serves; here no request is touched.
 */
#include "internal.h"

#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#define KICK		(SIGRTMAX - 1)	/* ends a wait */
#define KICK_INTERVAL	20000000	/* nanoseconds */
#define STACK_SIZE	(256 * 1024)	/* locked memory: keep it small */
#define DEFAULT_DEPTH	16
#define MAX_TURNS	16		/* in a dispatch, before others have theirs */
#define NSEC_PER_SEC	1000000000LL
#define LONGEST		((1LL << 29) * NSEC_PER_SEC)	/* any longer is for ever */

#define ALL_FLAGS (ABUSE_SERVER_ADD | ABUSE_SERVER_FUA | ABUSE_SERVER_NO_READ_DATA | \
		   ABUSE_SERVER_NO_WRITE_DATA | ABUSE_SERVER_NO_LOCK | \
		   ABUSE_SERVER_NO_SPIN)
#define NO_DATA	(ABUSE_SERVER_NO_READ_DATA | ABUSE_SERVER_NO_WRITE_DATA)

/* ---- open ---- */

static int check_config(struct abuse_config *config)
{
	unsigned int i;

	if (!config->ops || config->flags & ~ALL_FLAGS ||
	    config->threads > ABUSE_MAX_THREADS || config->depth > MAX_DEPTH ||
	    config->spin > ABUSE_MAX_SPIN)
		return -EINVAL;
	for (i = 0; i < sizeof(config->reserved) / sizeof(*config->reserved); i++)
		if (config->reserved[i])
			return -EINVAL;
	for (i = 0; i < sizeof(config->ops->reserved) / sizeof(*config->ops->reserved); i++)
		if (config->ops->reserved[i])
			return -EINVAL;
	if (!config->threads)
		config->threads = 1;
	if (!config->depth)
		config->depth = DEFAULT_DEPTH;
	if (!config->spin)
		config->spin = ABUSE_DEFAULT_SPIN;
	if (config->flags & ABUSE_SERVER_NO_SPIN)
		config->spin = 0;
	return 0;
}

/* At least two segments: one may be full of payloads, READs need another. */
static int plan_buffer(struct abuse_server *srv)
{
	uint64_t least = srv->params.max_request, size = srv->config.buffer;

	if (!size)
		size = 2 * least;
	if (size < 2 * least || size > INT32_MAX)
		return -EINVAL;
	srv->segment_size = size / MAX_SEGMENTS;
	if (srv->segment_size < least)
		srv->segment_size = least;
	srv->segment_size -= srv->segment_size % ABUSE_PAYLOAD_ALIGN;
	srv->buffer_size = size / srv->segment_size * srv->segment_size;
	if (srv->buffer_size > MAX_SEGMENTS * srv->segment_size)
		srv->buffer_size = MAX_SEGMENTS * srv->segment_size;
	if ((srv->config.flags & NO_DATA) == NO_DATA)
		srv->buffer_size = 0;
	return 0;
}

/* Of the calling thread and those that it starts. */
static unsigned int be_flusher(void)
{
	return prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0) ? 0 : ABUSE_IS_FLUSHER;
}

static int prepare(struct abuse_server *srv)
{
	int ret;

	ret = plan_buffer(srv);
	if (ret < 0)
		return ret;
	if (!(srv->params.features & ABUSE_F_WRITE_CACHE) &&
	    (srv->ops.flush || srv->config.flags & ABUSE_SERVER_FUA))
		srv->always = ABUSE_REQ_FUA;
	for (; srv->nr_queues < srv->config.threads; srv->nr_queues++) {
		ret = queue_init(&srv->queues[srv->nr_queues], srv);
		if (ret < 0) {
			queue_destroy(&srv->queues[srv->nr_queues]);
			return ret;
		}
	}
	srv->holds = be_flusher();
	if (!(srv->config.flags & ABUSE_SERVER_NO_LOCK) &&
	    !mlockall(MCL_CURRENT | MCL_FUTURE))
		srv->holds |= ABUSE_IS_LOCKED;
	return 0;
}

int abuse_server_open(struct abuse_server **to, const struct abuse_config *config)
{
	struct abuse_config checked = *config;
	struct abuse_server *srv;
	int ret;

	*to = NULL;
	ret = check_config(&checked);
	if (ret < 0)
		return ret;
	srv = calloc(1, sizeof(*srv) + checked.threads * sizeof(*srv->queues));
	if (!srv)
		return -ENOMEM;
	srv->config = checked;
	srv->ops = *checked.ops;
	sem_init(&srv->ending, 0, 0);
	ret = server_attach(srv);
	if (!ret)
		ret = prepare(srv);
	if (ret < 0)
		abuse_server_free(srv);
	else
		*to = srv;
	return ret;
}

/* ---- what it is ---- */

unsigned int abuse_server_number(const struct abuse_server *srv)
{
	return srv->params.number;
}

int abuse_server_ctl(const struct abuse_server *srv)
{
	return srv->fd;
}

unsigned int abuse_server_holds(const struct abuse_server *srv)
{
	return srv->holds;
}

void abuse_server_counts(const struct abuse_server *srv, struct abuse_counts *counts)
{
	uint64_t *to = (uint64_t *)(void *)counts;
	const uint64_t *from;
	unsigned int i;
	size_t n;

	memset(counts, 0, sizeof(*counts));
	for (i = 0; i < srv->nr_queues; i++) {
		from = (const uint64_t *)(const void *)&srv->queues[i].counts;
		for (n = 0; n < sizeof(*counts) / sizeof(*to); n++)
			to[n] += __atomic_load_n(&from[n], __ATOMIC_RELAXED);
	}
}

/* ---- threads ---- */

static bool enter(struct abuse_server *srv, int serves)
{
	int none = SERVES_NOT;

	return __atomic_compare_exchange_n(&srv->serves, &none, serves, false,
					   __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST) ||
	       (serves == SERVES_LOOPS && none == SERVES_LOOPS);
}

/* One that ends unasked ends all. */
static void end(struct abuse_server *srv, int err)
{
	int none = 0;

	if (err != -ESHUTDOWN)
		__atomic_compare_exchange_n(&srv->error, &none, err, false,
					    __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
	abuse_server_stop(srv);
}

/* Whose thread this is. */
static __thread const struct abuse_server *own_server;

/*
 * Who submits on the same processor goes on until it has to wait, and not until its
 * first request wakes this thread. Another policy was chosen, and stays.
 */
static void be_patient(void)
{
	static const struct sched_param none;

	if (sched_getscheduler(0) == SCHED_OTHER)
		sched_setscheduler(0, SCHED_BATCH, &none);
}

static void *thread_main(void *arg)
{
	struct queue *queue = arg;
	int ret;

	be_patient();
	own_server = queue->srv;
	do {
		ret = queue_turn(queue, -1);
		if (!ret && queue->nr_async)
			ret = queue_sleep(queue);
	} while (ret >= 0);
	end(queue->srv, ret);
	return NULL;
}

static void kicked(int sig)
{
	(void)sig;		/* its only use is to interrupt a wait */
}

/* Whatever a signal means to the program, it is not for these threads. */
static void mask_signals(sigset_t *old)
{
	static const int faults[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS };
	struct sigaction action = { .sa_handler = kicked, .sa_flags = SA_RESTART };
	sigset_t mask;
	size_t i;

	sigaction(KICK, &action, NULL);
	sigfillset(&mask);
	sigdelset(&mask, KICK);
	for (i = 0; i < sizeof(faults) / sizeof(*faults); i++)
		sigdelset(&mask, faults[i]);
	pthread_sigmask(SIG_SETMASK, &mask, old);
}

/* A new stack counts as locked memory, too: rather none locked than no thread. */
static int start_one(struct abuse_server *srv, struct queue *queue,
		     const pthread_attr_t *attr)
{
	int ret = pthread_create(&queue->thread, attr, thread_main, queue);

	if (ret == EAGAIN && srv->holds & ABUSE_IS_LOCKED) {
		munlockall();
		srv->holds &= ~ABUSE_IS_LOCKED;
		ret = pthread_create(&queue->thread, attr, thread_main, queue);
	}
	queue->is_running = !ret;
	return -ret;
}

int abuse_server_start(struct abuse_server *srv)
{
	pthread_attr_t attr;
	unsigned int i;
	sigset_t old;
	int ret = 0;

	if (!enter(srv, SERVES_THREADS))
		return LOAD(srv->serves) == SERVES_THREADS ? -EALREADY : -EBUSY;
	be_flusher();
	mask_signals(&old);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_SIZE);
	for (i = 0; i < srv->nr_queues && !ret; i++)
		ret = start_one(srv, &srv->queues[i], &attr);
	pthread_attr_destroy(&attr);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (ret < 0)
		end(srv, ret);
	return ret;
}

void abuse_server_stop(struct abuse_server *srv)
{
	int err = errno;
	unsigned int i;

	STORE(srv->is_stopped, true);
	sem_post(&srv->ending);
	for (i = 0; i < srv->nr_queues; i++)
		if (LOAD(srv->serves) == SERVES_LOOPS)
			queue_ring(&srv->queues[i]);
	errno = err;
}

static void add_time(struct timespec *at, int64_t nanoseconds)
{
	nanoseconds += at->tv_nsec;
	at->tv_sec += (time_t)(nanoseconds / NSEC_PER_SEC);
	at->tv_nsec = (long)(nanoseconds % NSEC_PER_SEC);
}

static bool is_past(const struct timespec *at)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec > at->tv_sec ||
	       (now.tv_sec == at->tv_sec && now.tv_nsec >= at->tv_nsec);
}

/*
 * A kick that comes before a thread has begun to wait is lost on it, so it is sent
 * until the thread has ended; one that is busy finishes its batch first.
 */
static int join(struct queue *queue, const struct timespec *deadline)
{
	struct timespec until;

	for (;;) {
		pthread_kill(queue->thread, KICK);
		clock_gettime(CLOCK_MONOTONIC, &until);
		add_time(&until, KICK_INTERVAL);
		if (!pthread_clockjoin_np(queue->thread, NULL, CLOCK_MONOTONIC, &until))
			break;
		if (deadline && is_past(deadline))
			return -ETIMEDOUT;
	}
	queue->is_running = false;
	return 0;
}

int abuse_server_wait(struct abuse_server *srv, int64_t timeout)
{
	struct timespec deadline;
	unsigned int i;
	int ret = 0;

	if (LOAD(srv->serves) != SERVES_THREADS)
		return -EINVAL;
	if (own_server == srv)
		return -EDEADLK;
	while (!LOAD(srv->is_stopped))
		sem_wait(&srv->ending);
	if (timeout > LONGEST)
		timeout = -1;
	clock_gettime(CLOCK_MONOTONIC, &deadline);
	if (timeout > 0)
		add_time(&deadline, timeout);
	for (i = 0; i < srv->nr_queues && !ret; i++)
		if (srv->queues[i].is_running)
			ret = join(&srv->queues[i], timeout < 0 ? NULL : &deadline);
	return ret ? ret : LOAD(srv->error);
}

int abuse_server_run(struct abuse_server *srv)
{
	int ret = abuse_server_start(srv);

	return ret < 0 ? ret : abuse_server_wait(srv, -1);
}

/* ---- event loops ---- */

static int find_loop(struct abuse_server *srv, unsigned int loop)
{
	if (loop >= srv->nr_queues)
		return -EINVAL;
	return enter(srv, SERVES_LOOPS) ? 0 : -EBUSY;
}

int abuse_server_fd(struct abuse_server *srv, unsigned int loop)
{
	int ret = find_loop(srv, loop);

	if (ret < 0)
		return ret;
	if (!SWAP(srv->queues[loop].is_polled, true))
		queue_ring(&srv->queues[loop]);	/* have the first dispatch come */
	return srv->queues[loop].epoll;
}

static int dispatch(struct queue *queue)
{
	static __thread bool is_flusher;
	unsigned int turns = 0;
	int ret;

	if (!is_flusher) {
		be_flusher();
		is_flusher = true;
	}
	queue_rise(queue);
	do
		ret = queue_turn(queue, 0);
	while (ret > 0 && ++turns < MAX_TURNS);
	if (ret > 0)
		queue_ring(queue);
	/* A turn that asks for no request is not told. */
	if (!ret && (queue->is_full || LOAD(queue->srv->is_stopped)))
		ret = queue_is_orphaned(queue);
	queue_lie_down(queue);
	return ret < 0 ? ret : 0;
}

int abuse_server_dispatch(struct abuse_server *srv, unsigned int loop)
{
	struct queue *queue;
	int ret;

	ret = find_loop(srv, loop);
	if (ret < 0)
		return ret;
	queue = &srv->queues[loop];
	if (SWAP(queue->is_dispatching, true))
		return -EDEADLK;
	ret = dispatch(queue);
	STORE(queue->is_dispatching, false);
	return ret;
}

/* ---- the end ---- */

void abuse_server_free(struct abuse_server *srv)
{
	unsigned int i;

	if (!srv)
		return;
	STORE(srv->is_abandoned, true);
	abuse_server_stop(srv);
	if (srv->serves == SERVES_THREADS)
		abuse_server_wait(srv, -1);
	for (i = 0; i < srv->nr_queues; i++) {
		if (srv->serves == SERVES_LOOPS)
			while (queue_turn(&srv->queues[i], 0) > 0)
				;
		queue_destroy(&srv->queues[i]);
	}
	if (srv->is_fd_ours && srv->fd >= 0)
		close(srv->fd);
	sem_destroy(&srv->ending);
	free(srv);
}

/* ---- files to redirect to ---- */

int abuse_server_add_file(struct abuse_server *srv, int fd)
{
	struct abuse_file file = { .size = sizeof(file), .fd = fd };
	int ret;

	if (!(srv->params.all_features & ABUSE_F_REDIRECT))
		return -EOPNOTSUPP;
	ret = abuse_ioctl(srv->fd, ABUSE_REGISTER_FILE, &file);
	if (ret < 0)
		return ret == -ENOTTY ? -EOPNOTSUPP : ret;
	return (int)file.index;
}

int abuse_server_remove_file(struct abuse_server *srv, unsigned int file)
{
	int ret = abuse_ioctl(srv->fd, ABUSE_UNREGISTER_FILE,
			      (const void *)(uintptr_t)file);

	return ret == -ENOTTY ? -EOPNOTSUPP : ret;
}
