/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * The protocol between queues, servers and the queue limit: queue.c, limit.c and fetch.c of
 * the module on random schedules (kernel.h). protocol.sh builds it; a test names one of
 * the parts at the end. A failure names its seed, which PROTOCOL_SEED repeats.
 */
#include "kernel.h"
#include "abuse.h"
#include "limit.c"
#include "queue.c"
#include "fetch.c"
#include "test.h"

#define DEPTH		32
#define MAX_QUEUES	4

static struct abuse_device d;
static struct request requests[MAX_QUEUES * DEPTH];
static struct abuse_slot slots[MAX_QUEUES * DEPTH];
static struct abuse_server servers[MAX_ACTORS];
static unsigned int arrived[MAX_QUEUES], served[MAX_QUEUES];

/* ---- what other files of the module do ------------------------------------------ */

int abuse_server_check(const struct abuse_server *srv)
{
	(void)srv;
	return 0;
}

void abuse_pollers_wake(struct abuse_device *dev, __poll_t events)
{
	(void)dev;
	(void)events;
}

static void device_new(unsigned int queues, u32 limit)
{
	abuse_queues_free(&d);
	memset(&d, 0, sizeof(d));
	memset(slots, 0, sizeof(slots));
	memset(servers, 0, sizeof(servers));
	memset(arrived, 0, sizeof(arrived));
	memset(served, 0, sizeof(served));
	nr_actors = 0;
	d.hw_queues = queues;
	d.depth = DEPTH;
	d.nr_slots = queues * DEPTH;
	d.slots = slots;
	for (unsigned int i = 0; i < queues; i++)
		d.tag_set.map[0].mq_map[i] = i;
	for (unsigned int i = 0; i < d.nr_slots; i++)
		slots[i].rq = &requests[i];
	if (abuse_queues_alloc(&d))
		abort();
	abuse_queues_start(&d);
	d.state = ABUSE_S_UP;
	atomic64_set_release(&d.epoch, 1);
	abuse_set_limit(&d, limit ? limit : d.nr_slots);
	for (unsigned int i = 0; i < MAX_ACTORS; i++)
		servers[i].dev = &d;
}

/* As submit.c: n requests of one plug. */
static void submit(unsigned int queue, unsigned int n)
{
	struct abuse_queue *at = &d.queues[queue];
	struct abuse_slot *slot = at->slots;

	spin_lock(&at->lock);
	while (n--) {
		while (abuse_word_state(slot->word.n) != ABUSE_FREE)
			slot++;
		slot->holder = NULL;
		abuse_slot_step(slot, ABUSE_FREE, ABUSE_PENDING);
		abuse_limit_arrive(&d, at, slot);
		arrived[queue]++;
	}
	spin_unlock(&at->lock);
	abuse_limit_promote(&d);
	abuse_wake_one(&d, at);
}

/* As complete.c: the request ends before it leaves the limit. */
static void answer(u64 id)
{
	struct abuse_slot *slot = abuse_slot_at(&d, id);
	bool counted = slot->counted;

	served[(slot - slots) / DEPTH]++;
	abuse_slot_step(slot, ABUSE_HELD, ABUSE_FREE);
	if (counted)
		abuse_uncount(&d, 1);
}

/* As exchange.c: up to max requests of one call, after a wait or not; or -errno. */
static int give(struct abuse_server *srv, struct abuse_dispatch *out, unsigned int max, bool woken)
{
	struct abuse_wish wish = { .left = max, .woken = woken };
	int n, all = 0;

	do {
		n = abuse_fetch(srv, &wish, out + all, 2);
		all += n > 0 ? n : 0;
	} while (n >= 0 && wish.left);
	return all ? all : n;
}

static int give_or_wait(struct abuse_server *srv, struct abuse_dispatch *out, unsigned int max,
			u64 spin_ns)
{
	bool woken = false;
	int n;

	for (;;) {
		n = give(srv, out, max, woken);
		if (n)
			return n;
		n = abuse_fetch_wait(srv, NULL, &spin_ns);
		if (n)
			return n;
		woken = true;
	}
}

/* ---- random schedules ---------------------------------------------------------------- */

static u64 seed;

static void schedules(const char *what, unsigned int rounds, void (*prepare)(void),
		      const char *(*judge)(void))
{
	const char *only = getenv("PROTOCOL_SEED"), *verdict = NULL;
	u64 first = only ? strtoull(only, NULL, 0) : 1, failed = 0;
	unsigned int n = 0;

	for (seed = first; seed < first + (only ? 1 : rounds); seed++) {
		chance = seed * 0x9e3779b97f4a7c15ULL;
		prepare();
		if (!actors_run()) {
			verdict = "a schedule that does not end";
			failed = seed;
		} else if (judge()) {
			verdict = judge();
			failed = failed ? failed : seed;
			n++;
		}
	}
	ok(!verdict, "%s", what);
	if (verdict)
		printf("# %s: %u of %u schedules, the first with PROTOCOL_SEED=%llu\n", verdict, n,
		       rounds, (unsigned long long)failed);
}

static unsigned int nr_pending(void)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < d.hw_queues; i++)
		n += d.queues[i].pending.next != &d.queues[i].pending;
	return n;
}

/* Requests that wait in a backlog although the limit has room for them. */
static const char *judge_limit(void)
{
	bool has_room = !d.has_limit || (u32)d.nr_counted.n < d.queue_limit;

	if (d.nr_backlog.n && has_room)
		return "a request waits while there is room";
	return NULL;
}

/* ---- the limit ------------------------------------------------------------------------- */

#define CHURNS		10	/* of each of two */
#define PASSED		3	/* of a turn, and of what was under way */

static int highest;

/* Between any two accesses. */
static void note_count(void)
{
	highest = d.nr_counted.n > highest ? d.nr_counted.n : highest;
}

/* Ends what counts, one by one. */
static void ender(unsigned int number)
{
	(void)number;
	for (unsigned int i = 0; i < DEPTH; i++)
		if (abuse_word_state(slots[i].word.n) == ABUSE_HELD)
			answer(abuse_slot_id(&d, &slots[i]));
}

static void submitter(unsigned int number)
{
	submit(number % d.hw_queues, 1 + chance_of(2));
}

static void limiter(unsigned int number)
{
	static const u32 limits[] = { 1, 2, 3, MAX_QUEUES * DEPTH };

	(void)number;
	for (int i = 0; i < 2; i++)
		abuse_set_limit(&d, limits[chance_of(4)]);
}

/* Some of the first queue are held and fill the limit. */
static void prepare_limit(u32 limit)
{
	struct abuse_dispatch out[DEPTH];

	device_new(2 + chance_of(2), limit);
	submit(0, limit);
	if (give(&servers[0], out, limit, false) != (int)limit)
		abort();
	for (unsigned int i = 0; i < d.hw_queues; i++)
		actor_start(submitter, i);
	actor_start(ender, 0);
}

static void prepare_limit_alone(void)
{
	prepare_limit(1 + chance_of(2));
}

static void prepare_limit_changes(void)
{
	prepare_limit(1 + chance_of(2));
	actor_start(limiter, 0);
}

static void prepare_one_limit(void)
{
	prepare_limit(1);
	highest = 1;
	each_step = note_count;
}

static const char *judge_count(void)
{
	if (d.nr_counted.n < 0 || highest > 1)
		return "more are counted than the limit allows";
	return judge_limit();
}

/* How many of the first queue ended while the one of the second waited. */
static unsigned int passed;

static void churner(unsigned int number)
{
	struct abuse_dispatch out[1];

	for (int i = 0; i < CHURNS; i++) {
		submit(0, 1);
		if (give(&servers[number], out, 1, false) != 1)
			continue;
		passed += slots[DEPTH].in_backlog;
		answer(out[0].id);
	}
}

static void first_ender(unsigned int number)
{
	(void)number;
	answer(abuse_slot_id(&d, &slots[0]));
}

/* One waits in the second queue, while others arrive at the first and end. */
static void prepare_order(void)
{
	struct abuse_dispatch out[1];

	device_new(2, 1);
	submit(0, 1);
	if (give(&servers[0], out, 1, false) != 1)
		abort();
	submit(1, 1);
	passed = 0;
	for (unsigned int i = 0; i < 3; i++)
		actor_start(i ? churner : first_ender, 0);
}

static const char *judge_order(void)
{
	if (passed > PASSED)
		return "requests that arrived later took the room again and again";
	return judge_limit();
}

static void test_limit(void)
{
	schedules("no request waits while there is room", 40000, prepare_limit_alone, judge_limit);
	schedules("nor while the limit changes", 20000, prepare_limit_changes, judge_limit);
	schedules("and no more are counted than the limit allows", 10000, prepare_one_limit,
		  judge_count);
	each_step = NULL;
	schedules("one that waits is passed by few that arrive later", 10000, prepare_order,
		  judge_order);
}

/* ---- wake-ups ---------------------------------------------------------------------------- */

#define NR_SERVERS	3

static u64 spin_ns;
static bool is_busy_for_ever;

/* Serves, or is busy with the first that it gets until the end. */
static void server(unsigned int number)
{
	unsigned int max = 1 + chance_of(2);
	struct abuse_dispatch out[2];
	int n;

	while ((n = give_or_wait(&servers[number], out, max, spin_ns)) > 0) {
		if (is_busy_for_ever)
			break;
		while (n--)
			answer(out[n].id);
	}
}

static const char *judge_wakes(void)
{
	unsigned int asleep = 0;

	for (unsigned int i = 0; i < NR_SERVERS; i++)
		asleep += actors[i].is_blocked;
	if (nr_pending() && asleep)
		return "a server sleeps while a request is pending";
	return is_busy_for_ever ? NULL : judge_limit();
}

static void prepare_servers(void)
{
	device_new(1 + chance_of(3), chance_of(2) ? 1 + chance_of(3) : 0);
	is_busy_for_ever = chance_of(2);
	spin_ns = chance_of(2) * 20;
	for (unsigned int i = 0; i < NR_SERVERS; i++)
		actor_start(server, chance_of(d.hw_queues));
}

static void prepare_wakes(void)
{
	prepare_servers();
	for (unsigned int i = 0; i < 3; i++)
		actor_start(submitter, i);
}

static void interrupter(unsigned int number)
{
	(void)number;
	actor_interrupt(&actors[chance_of(NR_SERVERS)]);
}

static void prepare_interrupts(void)
{
	prepare_wakes();
	actor_start(interrupter, 0);
}

/* RESET and the next set-up, whose servers and requests come after it. */
static void resetter(unsigned int number)
{
	(void)number;
	WRITE_ONCE(d.state, ABUSE_S_EMPTY);
	abuse_wake_all(&d);
	atomic64_set_release(&d.epoch, 2);
	WRITE_ONCE(d.state, ABUSE_S_UP);
}

static void after_reset(void)
{
	while (atomic64_read(&d.epoch) != 2 || READ_ONCE(d.state) != ABUSE_S_UP)
		actor_switch();
}

static void late_server(unsigned int number)
{
	after_reset();
	server(number);
}

static void late_submitter(unsigned int number)
{
	after_reset();
	submitter(number);
}

static void prepare_reset(void)
{
	device_new(1 + chance_of(2), 0);
	is_busy_for_ever = chance_of(2);
	spin_ns = chance_of(2) * 20;
	for (unsigned int i = 0; i < NR_SERVERS; i++) {
		atomic64_set_release(&servers[i].epoch, i != 0);
		actor_start(i ? server : late_server, 0);
	}
	actor_start(resetter, 0);
	actor_start(late_submitter, 0);
}

static void test_wakes(void)
{
	schedules("no server sleeps while a request is pending", 60000, prepare_wakes,
		  judge_wakes);
	schedules("nor if a signal ends another's wait", 20000, prepare_interrupts, judge_wakes);
	schedules("nor if another slept through RESET", 30000, prepare_reset, judge_wakes);
}

/* ---- the busy-poll ------------------------------------------------------------------------- */

static void prepare_spins(void)
{
	device_new(1 + chance_of(2), 0);
	is_busy_for_ever = false;
	spin_ns = 40;
	most_spinning = 0;
	for (unsigned int i = 0; i < NR_SERVERS; i++)
		actor_start(server, 0);
	actor_start(submitter, 0);
}

static unsigned int spins;

static const char *judge_spins(void)
{
	spins += most_spinning;
	return most_spinning > 1 ? "two servers busy-poll one queue" : judge_wakes();
}

static void test_spins(void)
{
	schedules("one server of a queue busy-polls", 20000, prepare_spins, judge_spins);
	ok(spins, "of those that wait, one does");
}

/* ---- turns: one actor, no schedule ----------------------------------------------------------- */

/* Of busy queues, how many requests of each were served in so many calls of one server. */
static void flood(unsigned int queues, u32 limit, const unsigned int *busy, unsigned int home,
		  unsigned int max, unsigned int calls)
{
	struct abuse_dispatch out[DEPTH];
	struct task_struct self = { .cpu = home };
	int n;

	device_new(queues, limit);
	for (unsigned int i = 0; i < queues; i++)
		submit(i, busy[i]);
	current = &self;	/* never gives way: it is alone */
	alone = true;
	while (calls--) {
		n = give(&servers[0], out, max, false);
		for (int i = 0; i < n; i++) {
			unsigned int queue = (out[i].id & 0xffff) / DEPTH;

			answer(out[i].id);
			submit(queue, 1);
		}
	}
	current = NULL;
	alone = false;
	printf("# %u queues, limit %u, a server at queue %u:", queues, limit, home);
	for (unsigned int i = 0; i < queues; i++)
		printf(" %u of %u", served[i], busy[i]);
	printf("\n");
}

static void test_turns(void)
{
	static const unsigned int limited[] = { 24, 1, 0, 1 }, orphans[] = { 4, 1, 0, 1 },
		all[] = { 4, 4, 4, 4 };

	flood(2, 8, limited, 0, 8, 10000);
	ok(served[1] >= 1000, "a queue of one has its share of the limit beside a queue of 24");
	flood(4, 8, limited, 2, 8, 10000);
	ok(served[1] >= 1000 && served[3] >= 1000, "and so have two of four");
	flood(4, 1, limited, 2, 1, 9000);
	ok(served[1] >= 2900 && served[3] >= 2900, "three queues share a limit of one evenly");
	flood(4, 0, orphans, 2, 1, 9000);
	ok(served[1] >= 2900 && served[3] >= 2900,
	   "a server whose own queue is empty goes round the others");
	flood(4, 0, all, 2, 1, 9000);
	for (unsigned int i = 0; i < 4; i++)
		ok(served[i] >= 9000 / 8 / 3 - 1, "a server that is busy at home looks at queue %u",
		   i);
}

int main(int argc, char **argv)
{
	static const struct { const char *name; void (*test)(void); } parts[] = {
		{ "limit", test_limit }, { "wakes", test_wakes }, { "spins", test_spins },
		{ "turns", test_turns },
	};

	for (unsigned int i = 0; argc == 2 && i < sizeof(parts) / sizeof(*parts); i++)
		if (!strcmp(argv[1], parts[i].name)) {
			parts[i].test();
			return done();
		}
	fprintf(stderr, "usage: protocol limit | wakes | spins | turns\n");
	return 2;
}
