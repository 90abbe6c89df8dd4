/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * A server that may busy-poll for 1 ms before it sleeps does so for no longer than that, nor than
 * it waits. It does not where another thread is to run on its processor, and stops as soon as one
 * is.
 */
/* timeout: 120 */
#include "waiter.h"

#define DEFAULT_SPIN 50000	/* libabuse's */
#define RARE	200	/* requests */
#define WAKES	60
#define TRIES	5	/* a busy host may take a processor away for a while */
#define IN_A_ROW 40
#define SHORT_WAITS 128

static struct device d;
static struct waiter waiter;
static unsigned char *data;
static int disk;

static void begin(uint64_t spin)
{
	d = device_new();
	set_up(&d, MIB, 0);
	disk = disk_open(&d, O_RDONLY | O_DIRECT);
	waiter_start(&waiter, &d, 1, spin);
	need(!pin(0), "a processor");
}

static void end(void)
{
	int fd = server_open(&d);

	need(!reset(fd), "RESET");
	waiter_end(&waiter);
	close(fd);
	close(disk);
}

static void read_once(void)
{
	need(pread(disk, data, 4096, 0) == 4096, "a read");
}

static int by_size(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* Seconds of the processor that this thread has used. */
static double thread_time(void)
{
	struct timespec ts;

	need(!clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts), "a thread's clock");
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

/*
 * Milliseconds of the processor for a request, where they come 5 ms apart: the lower
 * quartile, as a busy host adds to many.
 */
static double time_of_one(uint64_t spin)
{
	double times[RARE], before, after;

	begin(spin);
	before = waiter_time(&waiter);
	for (int i = 0; i < RARE; i++) {
		read_once();
		nap_ms(5);
		need(wait_for(waiter_is_asleep(&waiter)), "the server to sleep");
		after = waiter_time(&waiter);
		times[i] = (after - before) * 1e3;
		before = after;
	}
	end();
	qsort(times, RARE, sizeof(*times), by_size);
	return times[RARE / 4];
}

/*
 * Milliseconds of the processor for a call that waits for next to nothing: the median. Other tasks,
 * whose turn on that processor would end a spin, have time to run between the calls.
 */
static double time_of_short_wait(uint64_t spin)
{
	struct abuse_exchange x = exchange_new();
	double times[SHORT_WAITS], since;
	struct abuse_request q;
	int fd;

	begin(0);
	fd = server_open(&d);
	x.requests = ADDR(&q);
	x.max_requests = 1;
	x.wait = 10000;
	x.spin = spin;
	need(!pin(1), "the server's processor");
	for (int i = 0; i < SHORT_WAITS; i++) {
		nap_ms(2);
		since = thread_time();
		need(!exchange(fd, &x) && !x.nr_requests, "to wait");
		times[i] = (thread_time() - since) * 1e3;
	}
	close(fd);
	end();
	qsort(times, SHORT_WAITS, sizeof(*times), by_size);
	return times[SHORT_WAITS / 2];
}

/* How many milliseconds a spin of so many nanoseconds may add. */
static void spin_adds_less_than(double limit, uint64_t spin, double (*time_of)(uint64_t spin),
				const char *what)
{
	double with = limit, without = 0;

	for (int i = 0; i < TRIES && with - without >= limit; i++) {
		without = time_of(0);
		with = time_of(spin);
		printf("# %.3f ms for %s, without a spin %.3f\n", with, what, without);
	}
	ok(with - without < limit, "%s costs less than %.2f ms more", what, limit);
}

/* ---- who wants the processor ---------------------------------------------------- */

static int wish[2], told[2];	/* pipes */

/* Tells how late it is, each time that it is woken: milliseconds. */
static void *other_main(void *unused)
{
	struct sched_param first = { .sched_priority = 1 };
	double since;

	(void)unused;
	need(!pin(1), "a processor");
	need(!sched_setscheduler(0, SCHED_FIFO, &first), "to come before others");
	while (read(wish[0], &since, sizeof(since)) == sizeof(since)) {
		double late = (now() - since) * 1e3;

		need(write(told[1], &late, sizeof(late)) == sizeof(late), "to tell");
	}
	return NULL;
}

/* Milliseconds until the other runs that wants the server's processor. */
static double late_now(void)
{
	double late, since = now();

	need(write(wish[1], &since, sizeof(since)) == sizeof(since), "to wake it");
	need(read(told[0], &late, sizeof(late)) == sizeof(late), "its word");
	return late;
}

/*
 * While the server looks: it has found some requests by that, and sleeps once, after the
 * last of them. The lower quartile of all times that it went like this; 0: too few did.
 */
static double lateness(void)
{
	unsigned int n = 0, sleeps = waiter_sleeps(&waiter), before;
	double late[WAKES], end = now() + stretched(5);

	while (n < WAKES && now() < end) {
		for (int i = 0; i < 4; i++)
			read_once();
		late[n] = late_now();
		need(wait_for(waiter_is_asleep(&waiter)), "the server to sleep");
		before = sleeps;
		sleeps = waiter_sleeps(&waiter);
		n += sleeps == before + 1;
	}
	qsort(late, n, sizeof(*late), by_size);
	return n < WAKES / 2 ? 0 : late[n / 4];
}

/* The same while it sleeps, at best. */
static double lateness_asleep(void)
{
	double late[WAKES];

	for (int i = 0; i < WAKES; i++)
		late[i] = late_now();
	qsort(late, WAKES, sizeof(*late), by_size);
	return late[0];
}

/*
 * Twice as late as a server that sleeps makes it; on kernels that check their locks, which take
 * their time, still well before the spin of a millisecond is over.
 */
static bool is_at_once(double with, double without)
{
	double most = access("/proc/lockdep", F_OK) ? 2 * without + 0.1 : without + 0.5;

	return with && with < most;
}

static void wanted_processor(void)
{
	double with = 0, without = 0;
	pthread_t other;

	need(!pipe(wish) && !pipe(told), "two pipes");
	need(!pthread_create(&other, NULL, other_main, NULL), "a thread");
	begin(MSEC);
	for (int i = 0; i < TRIES && !is_at_once(with, without); i++) {
		without = lateness_asleep();
		with = lateness();
		printf("# %.3f ms until the other runs, while the server sleeps %.3f\n",
		       with, without);
	}
	end();
	ok(is_at_once(with, without), "who wants the processor gets it at once");
	close(wish[1]);
	pthread_join(other, NULL);
}

/* How often the server sleeps that shares its processor, and is asked in a row. */
static unsigned int sleeps_in_a_row(void)
{
	unsigned int n = waiter_sleeps(&waiter);

	for (int i = 0; i < IN_A_ROW; i++)
		read_once();
	return waiter_sleeps(&waiter) - n;
}

/* Comes last: there is no end to who keeps it awake. */
static void shared_processor(void)
{
	unsigned int n = 0;

	keep_awake(1);
	begin(MSEC);
	for (int i = 0; i < TRIES && n < IN_A_ROW - 4; i++) {
		n = sleeps_in_a_row();
		printf("# %u sleeps for %d requests where another is to run\n", n,
		       IN_A_ROW);
	}
	end();
	ok(n >= IN_A_ROW - 4, "nor does it look where another is to run");
}

int main(void)
{
	test_begin();
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		skip("needs two processors");
	data = memory_new(4096);
	keep_awake(0);
	spin_adds_less_than(0.15, DEFAULT_SPIN, time_of_one, "a rare request by default");
	spin_adds_less_than(1.5, MSEC, time_of_one, "a rare request");
	spin_adds_less_than(0.3, MSEC, time_of_short_wait, "a short wait");
	wanted_processor();
	shared_processor();
	return done();
}
