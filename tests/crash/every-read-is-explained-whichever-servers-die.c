/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * Threads write and read eight sectors of a disk with direct I/O while three servers of it are killed,
 * stopped and started again: for each sector there is an order of the acknowledged writes that explains
 * every read, no I/O fails, and all of it ends. While clients write, a read may mix two writes, as two servers
 * may copy at once; when they have ended, each sector is of one write. The servers are `abusectl server` on a file with and
 * without a map and on a copy-on-write disk, and processes that share memory, some by the calls of 2009.
 *
 * HISTORY_SECONDS is how long for each kind (6), at most: it ends sooner if the memory for operations is used up.
 * HISTORY_SEED is the seed. To the file HISTORY_TALLY a line is
 * appended for each: seed, kind, kills, reads and writes, faults.
 */
/* timeout: 150 */
#include "history.h"
#include "race.h"

#define SECTORS		8
#define CLIENTS		6
#define SERVERS		3
#define SPACING		(64 * KIB)	/* so that none is merged with another */
#define MAX_OPS		400000

static const struct kind {
	const char *name, *backend, *keys;	/* none: processes of ours */
} kinds[] = {
	{ "file", "file:%s/store", "size=4M,map=0" },
	{ "mapped", "file:%s/store", "size=4M,map=1" },
	{ "cow", "cow:%s/base:%s/delta", "map=0" },
	{ "shared", NULL, NULL },
};

struct client {
	unsigned int number;
	size_t nr[SECTORS];
	struct operation *ops[SECTORS];
};

static char dir[] = "/var/tmp/history-XXXXXX";
static struct device d;
static struct race *race;
static uint64_t state;
static _Atomic bool is_over, is_full;
static _Atomic unsigned long done_ops, failed_ops, torn;

static uint64_t next_random(void)
{
	uint64_t z = state += 0x9e3779b97f4a7c15;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

static int64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * SEC + ts.tv_nsec;
}

/* ---- clients --------------------------------------------------------------------------- */

static void one_operation(struct client *c, int fd, uint64_t *data, uint64_t n)
{
	unsigned int sector = (n * 7 + c->number * 3 + n / 5) % SECTORS;
	struct operation op = { .is_write = (n + c->number) % 3 == 0 };
	ssize_t ret;

	if (c->nr[sector] == MAX_OPS / SECTORS) {
		is_full = true;
		return;
	}
	op.value = n * CLIENTS + c->number + 1;
	for (int i = 0; op.is_write && i < 64; i++)
		data[i] = op.value;
	op.begin = now_ns();
	ret = op.is_write ? pwrite(fd, data, 512, sector * SPACING) :
			    pread(fd, data, 512, sector * SPACING);
	op.end = now_ns();
	if (ret != 512) {
		failed_ops++;
		if (!op.is_write)
			return;
		op.end = HISTORY_NEVER;
	}
	if (!op.is_write)
		op.value = data[0];
	/* Two servers at once may copy a sector; a word of it is from one write. See read_quietly(). */
	torn += !op.is_write && data[63] != data[0];
	c->ops[sector][c->nr[sector]++] = op;
	done_ops++;
}

static int client_main(void *arg)
{
	struct client *c = arg;
	uint64_t *data = memory_new(4096);
	int fd = disk_open(&d, O_RDWR | O_DIRECT);

	for (uint64_t n = 0; !is_over && !is_full; n++)
		one_operation(c, fd, data, n);
	close(fd);
	return 0;
}

/*
 * Nobody writes any more: what is in a sector is of one write, and it is read like that by all who come. One
 * more read of each sector, and how many sectors are of two writes.
 */
static unsigned int read_quietly(struct operation *last)
{
	uint64_t *data = memory_new(4096);
	int fd = disk_open(&d, O_RDWR | O_DIRECT);
	unsigned int mixed = 0;

	for (unsigned int s = 0; s < SECTORS; s++) {
		last[s].begin = now_ns();
		failed_ops += pread(fd, data, 512, s * SPACING) != 512;
		last[s].end = now_ns();
		last[s].value = data[0];
		for (int i = 1; i < 64; i++) {
			if (data[i] == data[0])
				continue;
			printf("# sector %u: word 0 is %llu, word %d is %llu\n", s, (unsigned long long)data[0], i,
			       (unsigned long long)data[i]);
			mixed++;
			break;
		}
	}
	close(fd);
	munmap(data, 4096);
	return mixed;
}

/* ---- servers ----------------------------------------------------------------------------- */

static int shared_main(void *arg)
{
	return (uintptr_t)arg ? race_bio_main(race) : race_server_main(race);
}

static pid_t serve(const struct kind *kind, unsigned int which)
{
	char number[16], backend[256];
	pid_t pid;

	if (!kind->backend)
		return child_start(shared_main, (void *)(uintptr_t)(which == 2));
	snprintf(number, sizeof(number), "%u", d.number);
	snprintf(backend, sizeof(backend), kind->backend, dir, dir);
	fflush(stdout);
	pid = fork();
	if (pid)
		return pid;
	close_all_above_2();
	if (!freopen("/dev/null", "w", stdout) || !freopen("/dev/null", "w", stderr))
		_exit(126);
	execlp("abusectl", "abusectl", "server", number, backend, kind->keys, NULL);
	_exit(127);
}

static void fault(const struct kind *kind, pid_t *pid, unsigned int which)
{
	nap_ms(next_random() % 60);
	if (!(next_random() % 3)) {
		kill(*pid, SIGSTOP);
		nap_ms(next_random() % 60);
		if (next_random() % 2) {
			kill(*pid, SIGCONT);
			return;
		}
	}
	kill(*pid, SIGKILL);
	child_wait(*pid);
	*pid = serve(kind, which);
}

/* ---- one kind of servers -------------------------------------------------------------------- */

static void add_device(const struct kind *kind, pid_t *pid)
{
	d = device_new_depth(1, 64);
	race = race_new(d, true);
	race->errors_allowed = false;
	if (!kind->backend) {
		struct abuse_params p = params_of(RACE_SIZE);

		p.timeout = FOR_EVER;
		set_up_as(&d, &p);
	}
	need(!shell("cd %s && rm -f * && truncate -s 4M base", dir), "files");
	for (unsigned int i = 0; i < SERVERS; i++) {
		pid[i] = serve(kind, i);
		need(i || wait_for(!strcmp(attribute(&d, "ready"), "1")), "a server of %s", kind->name);
	}
}

static unsigned int faults_of(struct client *clients, const struct operation *last)
{
	unsigned int faults = 0;

	for (unsigned int s = 0; s < SECTORS; s++) {
		size_t nr = 0;
		struct operation *all;
		const char *why;
		uint64_t value = 0;

		for (unsigned int i = 0; i < CLIENTS; i++)
			nr += clients[i].nr[s];
		all = malloc((nr + 1) * sizeof(*all));
		need(all, "memory");
		all[0] = last[s];
		nr = 1;
		for (unsigned int i = 0; i < CLIENTS; i++) {
			memcpy(all + nr, clients[i].ops[s], clients[i].nr[s] * sizeof(*all));
			nr += clients[i].nr[s];
			free(clients[i].ops[s]);
		}
		why = history_fault(all, nr, &value);
		if (why && ++faults)
			printf("# sector %u, value %llu: %s\n", s, (unsigned long long)value, why);
		free(all);
	}
	return faults;
}

static void write_tally(uint64_t seed, const struct kind *kind, unsigned long kills,
			unsigned int faults)
{
	const char *path = getenv("HISTORY_TALLY");
	FILE *file = path ? fopen(path, "a") : NULL;

	if (!file)
		return;
	fprintf(file, "%llu %s %lu %lu %u\n", (unsigned long long)seed, kind->name, kills, done_ops,
		faults);
	fclose(file);
}

static void try(const struct kind *kind, double seconds)
{
	static struct client clients[CLIENTS];
	struct operation last[SECTORS] = { 0 };
	struct job jobs[CLIENTS];
	unsigned long kills = 0;
	uint64_t seed = state;
	pid_t pid[SERVERS];
	unsigned int faults, mixed;
	double begin;

	is_over = is_full = false;
	done_ops = failed_ops = torn = 0;
	add_device(kind, pid);
	for (unsigned int i = 0; i < CLIENTS; i++) {
		clients[i] = (struct client){ .number = i };
		for (unsigned int s = 0; s < SECTORS; s++) {
			clients[i].ops[s] = malloc(MAX_OPS / SECTORS * sizeof(struct operation));
			need(clients[i].ops[s], "memory");
		}
		job_start(&jobs[i], client_main, &clients[i]);
	}
	for (begin = now(); (now() - begin < seconds && !is_full) || kills < 6; kills++)
		fault(kind, &pid[kills % SERVERS], kills % SERVERS);
	if (is_full)
		printf("# %s: ended after %.1f of %.1f s, as a client had done %d operations with a sector\n", kind->name,
		       now() - begin, seconds, MAX_OPS / SECTORS);
	/* On a busy machine a server hardly begins before it is killed. */
	ok(wait_for(done_ops > 100) && kills > 5, "%s: enough I/O, and enough faults", kind->name);
	is_over = true;
	for (unsigned int i = 0; i < CLIENTS; i++)
		job_wait(&jobs[i], "a client");
	mixed = read_quietly(last);
	for (unsigned int i = 0; i < SERVERS; i++) {
		kill(pid[i], SIGKILL);
		child_wait(pid[i]);
	}
	faults = faults_of(clients, last);
	printf("# %s: %lu reads and writes, %lu servers killed or stopped, %lu sectors of two writes\n",
	       kind->name, done_ops, kills, torn);
	is(failed_ops, 0, "I/Os that failed");
	is(mixed, 0, "sectors of two writes when all had ended");
	is(faults, 0, "sectors whose reads no order of the writes explains");
	write_tally(seed, kind, kills, faults);
	shell("abusectl reset --force %u >/dev/null 2>&1", d.number);
}

static void remove_all(void)
{
	if (getpid() == test_main_pid)
		shell("rm -rf %s", dir);
}

int main(void)
{
	const char *text = getenv("HISTORY_SEED"), *seconds = getenv("HISTORY_SECONDS");

	test_begin();
	if (shell("command -v abusectl >/dev/null"))
		skip("abusectl is not here");
	state = text ? strtoull(text, NULL, 0) : (uint64_t)time(NULL);
	printf("# HISTORY_SEED=%llu\n", (unsigned long long)state);
	need(mkdtemp(dir), "a folder");
	atexit(remove_all);
	for (unsigned int i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		try(&kinds[i], seconds ? atof(seconds) : 6);
	return done();
}
