/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * The library and the backend cow on a simulated kernel, in one thread: a seed decides what is
 * requested, which of two servers goes on, what of it the kernel does by a map, which system call fails,
 * where a server is killed and where the power is cut. No request is lost or done by a server that does not
 * hold it, each read is explained by acknowledged writes, and after a power cut what was flushed is there. If
 * DELTA could not be synced, no later flush succeeds until all servers have ended. The same seed does the
 * same again, and faults that are planted are found.
 *
 * SIM_SEED is the first seed (1), SIM_SEEDS how many are run (200). A failing seed is printed; SIM_SEED
 * with that number and SIM_SEEDS=1 does the same again. To the file SIM_TALLY a line is appended:
 * seed, seeds, operations, power cuts.
 */
/* timeout: 90 */
/* cflags: -lz */
#include "test.h"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>

static int sim_ioctl(int fd, unsigned long cmd, const void *arg);
#define ioctl sim_ioctl
#define VERSION "of the tests"
#include "../../utils/lib/reason.c"
#include "../../utils/lib/memory.c"
#include "../../utils/lib/ctl.c"
#include "../../utils/lib/attach.c"
#include "../../utils/lib/queue.c"
#include "../../utils/lib/request.c"
#include "../../utils/lib/wake.c"
#include "../../utils/lib/turn.c"
#include "../../utils/lib/exchange.c"
#include "../../utils/lib/buffer.c"
#include "../../utils/lib/run.c"
#include "../../utils/lib/reply.c"
#include "../../utils/lib/server.c"
#include "../../utils/lib/threads.c"
#include "../../utils/lib/files.c"
#include "../../utils/lib/loops.c"
#undef ioctl

static int sim_node = -1;

#define COW_LIBRARY
#define COW_CTL		sim_node
#define COW_SYSTEM_CALLS "sim-calls.h"
#define begin	cow_begins
#define take_over	cow_takes_over
#include "cow.h"
#undef pread
#undef pwrite
#undef fallocate
#undef fdatasync
#undef begin
#undef take_over

#define CHUNKS		6
#define SIZE		(CHUNKS * COW_CHUNK + 3 * SECTOR)
#define SECTORS		(SIZE / SECTOR)
#define BASE_SIZE	(4 * COW_CHUNK + 5 * SECTOR)
#define FILE_SIZE	(4 * COW_CHUNK + SIZE)
#define PAGE		4096
#define SERVERS		2
#define PENDING		12		/* requests at once */
#define MOST_SECTORS	160		/* of a request */
#define MOST		64		/* versions that a sector may have */
#define STEPS		400		/* of a run */

/* ---- the seed ---- */

static uint64_t state, run_seed, trail;
static unsigned long operations, cuts, kills, faults, mapped, failed_syncs;

/* Faults of a server or of the kernel, for the test of this test. */
static enum { NONE, NO_SYNC, LOST_WRITE, EARLY_GRANT, FORGOTTEN_ERROR, PLANTED_END } planted;

static uint64_t bits(void)
{
	uint64_t z = state += 0x9e3779b97f4a7c15;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

static uint64_t below(uint64_t n)
{
	return bits() % n;
}

/* The events of a run, in their order */
static void note_event(uint64_t what)
{
	trail = (trail ^ what) * 0x100000001b3;
}

#define broken(...) do {						\
	printf("# SIM_SEED=%llu SIM_SEEDS=1\n", (unsigned long long)run_seed);	\
	fail(__VA_ARGS__);						\
} while (0)

/* ---- what sectors may have ---- */

struct version {
	uint64_t version, written;	/* when it was acknowledged; 0: not yet, or never */
};

static struct {
	struct version versions[MOST];	/* the newest last; the first is there for sure */
	unsigned int nr;
} may[SECTORS];

static uint64_t clock_now, next_version;

/* ---- the simulated kernel ---- */

static struct request {
	bool is_used, is_held, is_done;
	int holder;
	uint64_t id, first, nr, begun;	/* sectors; when it was submitted */
	uint32_t op, flags, result;
	uint64_t version;
	uint64_t order;			/* the lowest is handed out first */
	char *data;
} requests[PENDING];

static struct server {
	int node;
	struct abuse_server *srv;
	struct cow *cow;
	bool is_dead;			/* what it still does has no effect */
	unsigned int calls_left;	/* until it is killed */
	unsigned int failures_seen;	/* of syncs: each is told once to each open file */
} servers[SERVERS];

static struct server *running;		/* the one whose code is executed */
static bool is_power_off;
static unsigned int power_calls_left;
static uint64_t next_id = 1, next_order = 1LL << 32, front_order = 1LL << 32;
static unsigned char stable[FILE_SIZE], now_bytes[FILE_SIZE];
static bool is_lost[FILE_SIZE / PAGE + 1];	/* could not be written, and will not be until it is changed again */
static unsigned int failures, kernel_failures_seen;
static uint64_t doubt;		/* nothing acknowledged up to then is durable by a flush; 0: no sync failed */
static bool kernel_has_written;	/* by the map, and not synced it since */

/* A system call of a server: false if it has no effect any more. */
static bool is_alive(void)
{
	if (!is_power_off && !power_calls_left--)
		is_power_off = true;
	if (running && !running->is_dead && !running->calls_left--)
		running->is_dead = true;
	return !is_power_off && !(running && running->is_dead);
}

static bool is_faulty(void)
{
	bool is = running && below(200) == 0;

	faults += is;
	return is;
}

static void submit(void);
static void end_done(void);

static void change(off_t offset, uint64_t length)
{
	for (uint64_t page = (uint64_t)offset / PAGE; page * PAGE < (uint64_t)offset + length && page * PAGE < FILE_SIZE; page++)
		is_lost[page] = false;
}

/* In the middle of a sync of one server the other serves. */
static void serve_other(void)
{
	static bool is_nested;
	struct server *server = running, *other = server ? &servers[server == servers] : NULL;
	int ret;

	if (!server || server->is_dead || is_nested || is_power_off || other->is_dead || below(3))
		return;
	is_nested = true;
	running = other;
	ret = abuse_server_dispatch(other->srv, 0);
	running = server;
	is_nested = false;
	if (ret && !other->is_dead && !is_power_off)
		broken("a server ended with %d", ret);
	end_done();
}

/* While a server is amid something, more is requested, some of which the kernel does. */
static void go_on_elsewhere(void)
{
	struct server *server = running;

	if (!server || !kernel_map || below(8))
		return;
	running = NULL;
	submit();
	end_done();
	running = server;
}

static ssize_t sim_pread(int fd, void *to, size_t length, off_t offset)
{
	if (is_alive() && is_faulty()) {
		errno = EIO;
		return -1;
	}
	return pread(fd, to, length, offset);
}

static ssize_t sim_pwrite(int fd, const void *from, size_t length, off_t offset)
{
	go_on_elsewhere();
	if (!is_alive())
		return (ssize_t)length;
	note_event((uint64_t)offset << 24 ^ length);
	if (is_faulty()) {
		errno = ENOSPC;
		return -1;
	}
	if (planted == LOST_WRITE && below(100) == 0)
		return (ssize_t)length;
	/* A short one, as at a limit or a signal. */
	if (length > SECTOR && below(20) == 0)
		length = SECTOR * (1 + below(length / SECTOR));
	change(offset, length);
	return pwrite(fd, from, length, offset);
}

static int sim_fallocate(int fd, int mode, off_t offset, off_t length)
{
	if (!is_alive())
		return 0;
	note_event((uint64_t)offset << 24 ^ (uint64_t)length ^ (uint64_t)mode << 60);
	if (offset + length <= (off_t)FILE_SIZE && is_faulty()) {
		errno = ENOSPC;
		return -1;
	}
	change(offset, (uint64_t)length);
	return fallocate(fd, mode, offset, length);
}

/* Of what was not on disk any part is, and the kernel will not write the rest. */
static void fail_sync(int fd)
{
	uint64_t at;

	if (pread(fd, now_bytes, FILE_SIZE, 0) != (ssize_t)FILE_SIZE)
		broken("DELTA cannot be read");
	for (at = 0; at < FILE_SIZE; at += PAGE) {
		size_t length = at + PAGE > FILE_SIZE ? FILE_SIZE - at : PAGE;

		if (below(2))
			memcpy(stable + at, now_bytes + at, length);
		else
			/* The maps are in use, and stay in memory. */
			is_lost[at / PAGE] = at >= 4 * COW_CHUNK && memcmp(stable + at, now_bytes + at, length);
	}
	failures++;
	failed_syncs++;
	doubt = ++clock_now;
}

/* By a file that was opened when so many syncs had failed as @seen says. */
static int sync_file(int fd, unsigned int *seen, bool may_fail)
{
	note_event(*seen != failures);
	if (may_fail && below(150) == 0)
		fail_sync(fd);
	if (*seen != failures) {
		*seen = failures;
		errno = EIO;
		return -1;
	}
	if (planted != NO_SYNC && pread(fd, stable, FILE_SIZE, 0) != (ssize_t)FILE_SIZE)
		broken("DELTA cannot be read");
	return 0;
}

static int sim_fdatasync(int fd)
{
	int ret;

	go_on_elsewhere();
	serve_other();
	if (!is_alive())
		return 0;
	if (running && below(100) == 0) {
		errno = EINTR;
		return -1;
	}
	ret = sync_file(fd, running ? &running->failures_seen : &failures, running);
	return planted == FORGOTTEN_ERROR ? 0 : ret;
}

/* The kernel does at once a request that the map holds. False: servers are to do it. */
static bool is_done_by_kernel(struct request *req)
{
	uint64_t length = req->nr * SECTOR, offset = req->nr ? kernel_map[req->first].offset : 0;
	int fd;

	if (req->op == ABUSE_OP_FLUSH) {
		if (!kernel_has_written && !kernel_writes_all())
			return false;
		req->is_done = kernel_writes_all();
		fd = open(cow_delta, O_RDWR | O_CLOEXEC);
		if (is_alive() && sync_file(fd, &kernel_failures_seen, true)) {
			kernel_failures_seen = failures - 1;	/* every FLUSH from now on */
			req->result = EIO;
			req->is_done = true;
		}
		kernel_has_written &= req->result;
		close(fd);
		return req->is_done;
	}
	if (req->op > ABUSE_OP_WRITE ||
	    !kernel_has(req->first, req->nr, req->op == ABUSE_OP_READ ? ABUSE_MAP_READ : ABUSE_MAP_WRITE))
		return false;
	fd = kernel_open(kernel_map[req->first].file);
	if (req->op == ABUSE_OP_READ && pread(fd, req->data, length, (off_t)offset) != (ssize_t)length)
		broken("a mapped READ fails");
	if (req->op == ABUSE_OP_WRITE && is_alive()) {
		change((off_t)offset, length);
		if (pwrite(fd, req->data, length, (off_t)offset) != (ssize_t)length)
			broken("a mapped WRITE fails");
		if (req->flags & ABUSE_REQ_FUA)
			memcpy(stable + offset, req->data, length);
		kernel_has_written = true;
	}
	close(fd);
	req->is_done = true;
	mapped++;
	return true;
}

static int take_map(const struct abuse_map *call)
{
	struct abuse_map_entry e;
	struct stat st, delta;

	for (uint32_t i = 0; is_alive() && i < call->nr; i++) {
		memcpy(&e, (char *)(uintptr_t)call->entries + (size_t)i * call->entry_size, sizeof(e));
		note_event(e.sector << 20 ^ e.sectors << 4 ^ e.rights);
		if (planted == EARLY_GRANT && e.rights == ABUSE_MAP_READ && !e.flags &&
		    !fstat((int)e.file, &st) && !stat(cow_delta, &delta) && st.st_ino == delta.st_ino)
			e.rights |= ABUSE_MAP_WRITE;
		kernel_apply(&e);
	}
	return 0;
}

/* File I/O by the kernel on behalf of a server that may die meanwhile. */
static int redirected(struct request *req, const struct abuse_reply *reply)
{
	uint64_t length = req->nr * SECTOR;
	int fd = (int)reply->file;

	if (req->op == ABUSE_OP_READ)
		return pread(fd, req->data, length, (off_t)reply->address) == (ssize_t)length ? 0 : EIO;
	if (req->op != ABUSE_OP_WRITE)
		return EINVAL;
	change((off_t)reply->address, length);
	if (pwrite(fd, req->data, length, (off_t)reply->address) != (ssize_t)length)
		return EIO;
	/* Its own bytes alone are durable by that. */
	if (req->flags & ABUSE_REQ_FUA)
		memcpy(stable + reply->address, req->data, length);
	return 0;
}

static uint32_t answer(int who, struct abuse_reply *reply)
{
	struct request *req;

	for (req = requests; req < requests + PENDING; req++)
		if (req->is_used && req->id == reply->id)
			break;
	if (req == requests + PENDING || !req->is_held || req->holder != who)
		broken("server %d answers what it does not hold", who);
	if (req->is_done)
		broken("a request was answered twice");
	note_event(req->id << 8 ^ reply->result);
	req->result = reply->result;
	if (!reply->result && reply->flags == ABUSE_REPLY_REDIRECT)
		req->result = redirected(req, reply);
	else if (!reply->result && reply->flags == ABUSE_REPLY_ZERO)
		memset(req->data, 0, req->nr * SECTOR);
	else if (!reply->result && req->op == ABUSE_OP_READ)
		memcpy(req->data, (void *)(uintptr_t)reply->address, req->nr * SECTOR);
	req->is_done = true;
	req->is_held = false;
	return 0;
}

static struct request *oldest(void)
{
	struct request *req, *found = NULL;

	for (req = requests; req < requests + PENDING; req++)
		if (req->is_used && !req->is_done && !req->is_held &&
		    (!found || req->order < found->order))
			found = req;
	return found;
}

static void hand_out(int who, struct abuse_exchange *call)
{
	struct abuse_request *to = (void *)(uintptr_t)call->requests;
	struct request *req;
	uint64_t offset = 0, length;

	for (; call->nr_requests < call->max_requests && (req = oldest()); to++) {
		length = req->op == ABUSE_OP_WRITE ? req->nr * SECTOR : 0;
		if (call->buffer_size && offset + length > call->buffer_size)
			break;
		*to = (struct abuse_request){
			.id = req->id, .op = req->op, .flags = req->flags,
			.sector = req->first, .length = req->nr * SECTOR, .offset = offset,
		};
		if (length && call->buffer_size)
			memcpy((char *)(uintptr_t)call->buffer + offset, req->data, length);
		offset += (length + PAGE - 1) / PAGE * PAGE;
		req->is_held = true;
		req->holder = who;
		call->nr_requests++;
		if (below(3) == 0)
			break;
	}
}

static int exchange(int who, struct abuse_exchange *call)
{
	struct abuse_reply *replies = (void *)(uintptr_t)call->replies;
	unsigned int i;

	call->nr_taken = call->nr_requests = 0;
	if (!is_alive())
		return ENODEV;
	if (below(30) == 0)
		return EINTR;
	for (i = 0; i < call->nr_replies; i++) {
		replies[i].status = answer(who, &replies[i]);
		call->nr_taken++;
	}
	if (call->max_requests)
		hand_out(who, call);
	return 0;
}

static int sim_ioctl(int fd, unsigned long cmd, const void *arg)
{
	void *to = (void *)(uintptr_t)arg;
	int who, err = ENOTTY;

	for (who = 0; who < SERVERS && servers[who].node != fd; who++)
		;
	if (who == SERVERS)
		broken("a call on a node that is none");
	if (cmd == ABUSE_EXCHANGE)
		err = exchange(who, to);
	if (cmd == ABUSE_GET_PARAMS) {
		*(struct abuse_params *)to = (struct abuse_params){
			.state = ABUSE_S_UP, .capacity = SIZE, .max_request = ABUSE_MAX_REQUEST,
			.features = ABUSE_F_WRITE_CACHE | ABUSE_F_FUA | ABUSE_F_WRITE_ZEROES,
			.all_features = ABUSE_F_REDIRECT | (kernel_map ? ABUSE_F_MAP : 0),
		};
		err = 0;
	}
	if (cmd == ABUSE_MAP && kernel_map)
		err = take_map(to);
	if (cmd == ABUSE_REGISTER_FILE) {
		((struct abuse_file *)to)->index = (uint32_t)((struct abuse_file *)to)->fd;
		err = 0;
	}
	errno = err;
	return err ? -1 : 0;
}

int abuse_dev_open(const char *text)
{
	(void)text;
	return -ENODEV;
}

int abuse_dev_find(const char *text)
{
	(void)text;
	return -ENODEV;
}

/* ---- what is requested ---- */

static void fill(void *to, uint64_t sector, uint64_t version)
{
	uint64_t *words = to;
	int i;

	for (i = 0; i < SECTOR / 8; i += 2) {
		words[i] = version ? sector + 1 : 0;
		words[i + 1] = version;
	}
}

static uint64_t version_of(const void *at, uint64_t sector)
{
	uint64_t wanted[SECTOR / 8], version = ((const uint64_t *)at)[1];

	fill(wanted, sector, version);
	return memcmp(at, wanted, SECTOR) ? UINT64_MAX : version;
}

static bool overlaps(uint64_t first, uint64_t nr)
{
	const struct request *req;

	for (req = requests; req < requests + PENDING; req++)
		if (req->is_used && req->op != ABUSE_OP_FLUSH && first < req->first + req->nr &&
		    req->first < first + nr)
			return true;
	return false;
}

static void may_have(uint64_t sector, uint64_t version)
{
	if (may[sector].nr == MOST)
		broken("a sector may have too many versions");
	may[sector].versions[may[sector].nr++] = (struct version){ .version = version };
}

static void submit(void)
{
	static const uint32_t ops[] = {
		ABUSE_OP_READ, ABUSE_OP_READ, ABUSE_OP_WRITE, ABUSE_OP_WRITE, ABUSE_OP_WRITE,
		ABUSE_OP_WRITE_ZEROES, ABUSE_OP_FLUSH,
	};
	struct request *req = requests;
	uint64_t i;

	while (req < requests + PENDING && req->is_used)
		req++;
	if (req == requests + PENDING)
		return;
	req->op = ops[below(7)];
	req->first = below(SECTORS);
	req->nr = 1 + below(below(4) ? 9 : MOST_SECTORS);
	if (req->nr > SECTORS - req->first)
		req->nr = SECTORS - req->first;
	if (req->op == ABUSE_OP_FLUSH)
		req->first = req->nr = 0;
	else if (overlaps(req->first, req->nr))
		return;
	for (i = 0; req->op != ABUSE_OP_READ && i < req->nr; i++)
		if (may[req->first + i].nr > MOST - 2)
			return;
	req->is_used = true;
	req->is_held = req->is_done = false;
	req->id = next_id++;
	req->order = next_order++;
	req->begun = ++clock_now;
	req->flags = req->op != ABUSE_OP_READ && req->nr && below(5) == 0 ? ABUSE_REQ_FUA : 0;
	req->version = req->op == ABUSE_OP_WRITE ? ++next_version : 0;
	operations++;
	note_event(req->first << 32 ^ req->nr << 8 ^ req->op);
	for (i = 0; (req->op == ABUSE_OP_WRITE || req->op == ABUSE_OP_WRITE_ZEROES) && i < req->nr; i++) {
		fill(req->data + i * SECTOR, req->first + i, req->version);
		may_have(req->first + i, req->version);
	}
	req->result = 0;
	if (kernel_map)
		is_done_by_kernel(req);
	/* A request that the power was cut in never ends. */
	req->is_done &= !is_power_off;
}

static bool is_settled(const struct version *version, uint64_t time)
{
	return version->written > doubt && version->written <= time;
}

/* Each write acknowledged by @time is durable: no older data can come back. */
static void settle(uint64_t sector, uint64_t time)
{
	unsigned int i = may[sector].nr - 1;

	while (i && !is_settled(&may[sector].versions[i], time))
		i--;
	memmove(may[sector].versions, may[sector].versions + i,
		(may[sector].nr - i) * sizeof(may[sector].versions[0]));
	may[sector].nr -= i;
}

static void end_read(const struct request *req)
{
	uint64_t sector, got;
	unsigned int i;

	for (sector = req->first; sector < req->first + req->nr; sector++) {
		got = version_of(req->data + (sector - req->first) * SECTOR, sector);
		/* The newest that was acknowledged, or one that failed since. */
		for (i = may[sector].nr; i--; ) {
			if (may[sector].versions[i].version == got)
				break;
			if (may[sector].versions[i].written || !i)
				broken("sector %llu reads as version %lld, not %llu",
				       (unsigned long long)sector, (long long)got,
				       (unsigned long long)may[sector].versions[i].version);
		}
	}
}

static void end_one(struct request *req)
{
	uint64_t i;

	clock_now++;
	req->is_used = false;
	if (req->result)
		return;
	if (req->op == ABUSE_OP_FLUSH && doubt && req->begun > doubt)
		broken("a flush succeeds though DELTA could not be synced before");
	if (req->op == ABUSE_OP_READ)
		end_read(req);
	for (i = 0; req->op == ABUSE_OP_FLUSH && i < SECTORS; i++)
		settle(i, req->begun);
	for (i = 0; req->op != ABUSE_OP_READ && i < req->nr; i++) {
		may[req->first + i].versions[may[req->first + i].nr - 1].written = clock_now;
		if (req->flags & ABUSE_REQ_FUA)
			settle(req->first + i, clock_now);
	}
}

static void end_done(void)
{
	struct request *req;

	for (req = requests; req < requests + PENDING; req++)
		if (req->is_used && req->is_done)
			end_one(req);
}

/* ---- servers ---- */

static void start(struct server *server)
{
	struct abuse_config config = {
		.ops = &backend_cow.ops, .threads = 1, .depth = 4,
		.flags = ABUSE_SERVER_NO_LOCK | ABUSE_SERVER_NO_SPIN,
	};
	bool redirects = below(2), maps = redirects && kernel_map && below(2);

	server->is_dead = false;
	server->calls_left = UINT32_MAX;
	server->failures_seen = failures;
	running = NULL;
	server->node = sim_node = eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC);
	server->cow = cow_server(SIZE, false);
	if (!server->cow)
		broken("DELTA was refused");
	config.fd = server->node;
	config.arg = server->cow;
	config.flags |= redirects ? ABUSE_SERVER_NO_WRITE_DATA : 0;
	if (abuse_server_open(&server->srv, &config))
		broken("no server: %s", abuse_reason());
	if (redirects && cow_direct(server->cow, server->srv))
		broken("no redirect");
	if (maps && backend_cow.map(server->cow, server->srv))
		broken("no map");
	server->calls_left = below(3) ? UINT32_MAX : (unsigned int)below(300);
}

/* Its requests go back, in order, before all others. */
static void end_server(struct server *server)
{
	int who = (int)(server - servers);
	struct request *req;

	server->is_dead = true;
	running = server;
	abuse_server_free(server->srv);
	running = NULL;
	cow_abandon(server->cow);
	close(server->node);
	server->srv = NULL;
	for (req = requests; req < requests + PENDING; req++)
		if (req->is_used && req->is_held && req->holder == who) {
			req->is_held = false;
			req->order -= front_order >> 1;
		}
}

static void begin_again(void);

static void step(struct server *server)
{
	int ret;

	running = server;
	ret = abuse_server_dispatch(server->srv, 0);
	running = NULL;
	if (ret && !server->is_dead && !is_power_off)
		broken("a server ended with %d", ret);
	if (!server->is_dead || is_power_off)
		return;
	kills++;
	note_event((uint64_t)(server - servers));
	if (doubt) {
		begin_again();
		return;
	}
	end_server(server);
	end_done();
	start(server);
}

/* ---- power ---- */

/* Or, where DELTA could not be synced, all servers end and the device is reset. */
static void lose_power(bool is_reset)
{
	int fd = open(cow_delta, O_RDWR | O_CLOEXEC), bias = (int)below(4);
	struct request *req;
	uint64_t at;

	cuts += !is_reset;
	note_event(is_reset);
	for (int i = 0; i < SERVERS; i++)
		end_server(&servers[i]);
	end_done();
	if (pread(fd, now_bytes, FILE_SIZE, 0) != (ssize_t)FILE_SIZE)
		broken("DELTA cannot be read");
	for (at = 0; at < FILE_SIZE; at += PAGE) {
		bool is_map = at < 4 * COW_CHUNK;
		bool kept = bias == 0 ? is_map : bias == 1 ? !is_map : below(2);

		/* The machine goes on with all but what it could not write. */
		if (is_reset)
			kept = !is_lost[at / PAGE];
		if (!kept)
			memcpy(now_bytes + at, stable + at,
			       at + PAGE > FILE_SIZE ? FILE_SIZE - at : PAGE);
	}
	if (!is_reset)
		memset(now_bytes + cow_stamp(SIZE), 'x', COW_BOOT_LEN);
	if (pwrite(fd, now_bytes, FILE_SIZE, 0) != (ssize_t)FILE_SIZE)
		broken("DELTA cannot be written");
	if (!is_reset)
		memcpy(stable, now_bytes, FILE_SIZE);
	memset(is_lost, 0, sizeof(is_lost));
	close(fd);
	/* The machine that had requested them is gone, too. */
	for (req = requests; req < requests + PENDING; req++)
		req->is_used = false;
	kernel_reset();
	kernel_has_written = false;
	doubt = 0;
	failures = kernel_failures_seen = 0;
}

/* Read now, though another may come back if the power is cut. */
static void has_now(uint64_t sector, uint64_t version)
{
	if (may[sector].versions[may[sector].nr - 1].version != version)
		may_have(sector, version);
	may[sector].versions[may[sector].nr - 1].written = clock_now;
}

/* Each sector has a version that it may have, and has it from now on. */
static void read_back(bool is_reset)
{
	static uint64_t bytes[SIZE / 8];
	uint64_t sector, got;
	unsigned int i;

	if (fetch(servers[0].cow, (char *)bytes, 0, SIZE))
		broken("the disk cannot be read");
	clock_now++;
	for (sector = 0; sector < SECTORS; sector++) {
		got = version_of(bytes + sector * SECTOR / 8, sector);
		for (i = 0; i < may[sector].nr; i++)
			if (may[sector].versions[i].version == got)
				break;
		if (i == may[sector].nr)
			broken("after a %s sector %llu has version %lld, not %llu or "
			       "one of %u later ones", is_reset ? "reset" : "power cut", (unsigned long long)sector, (long long)got,
			       (unsigned long long)may[sector].versions[0].version, i - 1);
		if (is_reset) {
			has_now(sector, got);
			continue;
		}
		may[sector].versions[0] = (struct version){ .version = got, .written = 1 };
		may[sector].nr = 1;
	}
}

static void begin_again(void)
{
	unsigned int left = power_calls_left;

	/* The power stays while they begin. */
	power_calls_left = UINT32_MAX;
	lose_power(true);
	for (int i = 0; i < SERVERS; i++)
		start(&servers[i]);
	read_back(true);
	power_calls_left = left;
}

/* ---- runs ---- */

static void begin_disk(void)
{
	uint64_t sector;
	int fd;

	unlink(cow_delta);
	power_calls_left = UINT32_MAX;
	is_power_off = false;
	kernel_reset();
	kernel_has_written = false;
	failures = kernel_failures_seen = 0;
	doubt = 0;
	memset(is_lost, 0, sizeof(is_lost));
	memset(stable, 0, sizeof(stable));
	memset(may, 0, sizeof(may));
	clock_now = next_version = 1;
	for (sector = 0; sector < SECTORS; sector++) {
		may_have(sector, sector < BASE_SIZE / SECTOR);
		may[sector].versions[0].written = 1;
	}
	for (int i = 0; i < SERVERS; i++)
		start(&servers[i]);
	fd = open(cow_delta, O_RDONLY | O_CLOEXEC);
	if (pread(fd, stable, FILE_SIZE, 0) != (ssize_t)FILE_SIZE)
		broken("DELTA is not as large as this test says");
	close(fd);
}

static void live(void)
{
	int i;

	power_calls_left = below(4) ? (unsigned int)below(600) : UINT32_MAX;
	for (i = 0; i < STEPS && !is_power_off; i++) {
		if (below(2))
			submit();
		else
			step(&servers[below(SERVERS)]);
		end_done();
	}
	lose_power(false);
	power_calls_left = UINT32_MAX;
	is_power_off = false;
	for (i = 0; i < SERVERS; i++)
		start(&servers[i]);
	read_back(false);
}

static void run(uint64_t seed)
{
	static struct kernel_sector *map;

	map = map ?: kernel_map;
	kernel_map = seed % 3 ? map : NULL;
	run_seed = state = seed;
	trail = 0;
	next_id = 1;
	next_order = front_order = 1LL << 32;
	bits();
	begin_disk();
	for (int i = 0; i < 3; i++)
		live();
	for (int i = 0; i < SERVERS; i++)
		end_server(&servers[i]);
}

/* The same seed, the same events. */
static void run_twice(uint64_t seed)
{
	uint64_t first;

	run(seed);
	first = trail;
	run(seed);
	if (trail != first)
		broken("the events of seed %llu are others when it is run again", (unsigned long long)seed);
}

static void begin_files(void)
{
	static uint64_t bytes[BASE_SIZE / 8];

	for (uint64_t sector = 0; sector < BASE_SIZE / SECTOR; sector++)
		fill(bytes + sector * SECTOR / 8, sector, 1);
	cow_begin(bytes, BASE_SIZE);
}

/* A process of its own runs seeds with that fault: does one of them fail? */
static bool is_found(int fault)
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid) {
		planted = fault;
		if (!freopen("/dev/null", "w", stdout))
			_exit(2);
		begin_files();
		for (uint64_t seed = 1; seed <= 400; seed++)
			run(seed);
		exit(0);
	}
	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 1;
}

static uint64_t from_environment(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 0) : otherwise;
}

int main(void)
{
	uint64_t first = from_environment("SIM_SEED", 1), nr = from_environment("SIM_SEEDS", 200);
	static const char *const names[] = {
		[NO_SYNC] = "fdatasync that does nothing", [LOST_WRITE] = "a write of a hundred that does nothing",
		[EARLY_GRANT] = "WRITE that is mapped before the chunk is durable",
		[FORGOTTEN_ERROR] = "a server that does not see that a sync failed",
	};
	const char *tally = getenv("SIM_TALLY");
	FILE *file;

	begin_files();
	kernel_begin(SIZE);
	for (int i = 0; i < PENDING; i++)
		requests[i].data = malloc(MOST_SECTORS * SECTOR);
	for (uint64_t seed = first; seed < first + nr; seed++)
		run(seed);
	ok(operations > nr * 20 && cuts >= nr * 3 && kills > nr / 10 && faults > nr / 10,
	   "%llu seeds from %llu: %lu operations, %lu kills, %lu faults, %lu power cuts",
	   (unsigned long long)nr, (unsigned long long)first, operations, kills, faults, cuts);
	ok(nr < 20 || (mapped > nr && failed_syncs > nr / 20), "%lu by the kernel alone, %lu syncs that failed", mapped,
	   failed_syncs);
	file = tally ? fopen(tally, "a") : NULL;
	if (file) {
		fprintf(file, "%llu %llu %lu %lu\n", (unsigned long long)first,
			(unsigned long long)nr, operations, cuts);
		fclose(file);
	}
	for (uint64_t seed = first; seed < first + 6; seed++)
		run_twice(seed);
	ok(true, "the same seed does the same");
	for (int fault = NONE + 1; fault < PLANTED_END; fault++)
		ok(is_found(fault), "%s is found", names[fault]);
	return done();
}
