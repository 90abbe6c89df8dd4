/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * Processes of several threads write, zero, discard and read parts of the same chunks of
 * a cow: disk, for the first time and again, and are killed wherever they are; what they
 * had begun is done again by the next. No byte is other than what was written last, or else the base's;
 * the base stays as it was. So it is, too, where servers have the kernel serve alone what they
 * know, some of them and all others not.
 */
/* timeout: 90 */
/* cflags: -lz */
#include "cow.h"

#include <signal.h>
#include <sys/wait.h>

#define SIZE		(40 * COW_CHUNK + 7 * SECTOR)
#define BASE_SIZE	(30 * COW_CHUNK + 1234)
#define SERVERS		3
#define THREADS		2		/* of each */
#define WORKERS		(SERVERS * THREADS)
#define PARTS		400
#ifdef __SANITIZE_ADDRESS__
#define ROUNDS		12		/* in which all is slower */
#else
#define ROUNDS		60
#endif
#define KILLS		8

/* Sectors of one worker, which alone knows what is in them. */
struct part {
	uint64_t first, end;		/* bytes */
};

static struct shared {
	unsigned char disk[SIZE];	/* what it should be */
	unsigned char base[BASE_SIZE];
	struct part parts[PARTS];
	uint64_t turn[WORKERS];		/* operations that are over */
	bool is_over;
	unsigned long wrong;
} *s;

static uint64_t next_random(uint64_t *state)
{
	*state += 0x9e3779b97f4a7c15;
	uint64_t z = *state;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

static void cut_into_parts(uint64_t seed)
{
	bool is_end[SIZE / SECTOR + 1] = { false };
	uint64_t at = 0, n = 0, i;

	/* The further on, the larger. */
	for (i = 0; i < PARTS - 1; ) {
		at = 1 + next_random(&seed) % (SIZE / SECTOR - 1);
		at = 1 + next_random(&seed) % at;
		if (!is_end[at]) {
			is_end[at] = true;
			i++;
		}
	}
	is_end[SIZE / SECTOR] = true;
	for (at = 0, i = 1; i <= SIZE / SECTOR; i++)
		if (is_end[i]) {
			s->parts[n++] = (struct part){ at * SECTOR, i * SECTOR };
			at = i;
		}
}

static void expect(bool cond, const char *what, uint64_t offset)
{
	if (cond)
		return;
	if (!__atomic_fetch_add(&s->wrong, 1, __ATOMIC_RELAXED))
		printf("# wrong: %s at %llu\n", what, (unsigned long long)offset);
}

/* The same for the same seed, however often it is begun. */
static void do_one(struct cow *cow, int me, uint64_t seed)
{
	static __thread unsigned char bytes[SIZE];
	uint64_t n = next_random(&seed) % (PARTS / WORKERS);
	const struct part *part = &s->parts[n * WORKERS + me];
	uint64_t sectors = (part->end - part->first) / SECTOR;
	uint64_t from = next_random(&seed) % sectors;
	uint64_t nr = 1 + next_random(&seed) % (sectors - from);
	uint64_t offset = part->first + from * SECTOR, length = nr * SECTOR, i;
	unsigned char *model = s->disk + offset, fill = (unsigned char)next_random(&seed) | 1;
	unsigned int what = next_random(&seed) % 32;
	int ret;

	if (what < 20) {
		memset(bytes, fill, length);
		ret = cow_do(cow, ABUSE_OP_WRITE, 0, offset, length, bytes);
		memset(model, fill, length);
	} else if (what < 24) {
		ret = cow_do(cow, ABUSE_OP_WRITE_ZEROES, what & 1 ? ABUSE_REQ_NOUNMAP : 0,
			     offset, length, NULL);
		memset(model, 0, length);
	} else if (what < 26) {
		ret = cow_do(cow, ABUSE_OP_DISCARD, 0, offset, length, NULL);
		expect(!ret, "a discard that failed", offset);
		ret = cow_do(cow, ABUSE_OP_READ, 0, offset, length, bytes);
		for (i = 0; i < length; i++)
			expect(!bytes[i] || bytes[i] == model[i], "discarded", offset + i);
		memcpy(model, bytes, length);
	} else if (what < 27) {
		ret = cow_do(cow, ABUSE_OP_FLUSH, 0, 0, 0, NULL);
	} else {
		ret = cow_do(cow, ABUSE_OP_READ, 0, offset, length, bytes);
		for (i = 0; i < length; i++)
			expect(bytes[i] == model[i], "read", offset + i);
	}
	expect(!ret, "a request that failed", offset);
}

struct worker {
	pthread_t thread;
	struct cow *cow;
	int me;
	uint64_t round;
};

static void *work(void *arg)
{
	const struct worker *worker = arg;
	int me = worker->me;

	/* Once at least: the killed server had begun something. */
	do {
		do_one(worker->cow, me,
		       worker->round << 40 ^ (uint64_t)me << 32 ^ s->turn[me]);
		s->turn[me]++;
	} while (!__atomic_load_n(&s->is_over, __ATOMIC_ACQUIRE));
	return NULL;
}

static int serve(int server, uint64_t round, bool redirects)
{
	struct cow *cow = cow_server(SIZE, redirects);
	struct worker workers[THREADS];

	expect(cow, "DELTA was refused", 0);
	for (int i = 0; cow && i < THREADS; i++) {
		workers[i] = (struct worker){
			.cow = cow, .me = server * THREADS + i, .round = round,
		};
		pthread_create(&workers[i].thread, NULL, work, &workers[i]);
	}
	for (int i = 0; cow && i < THREADS; i++)
		pthread_join(workers[i].thread, NULL);
	return 0;
}

static pid_t start(int server, uint64_t round, bool redirects)
{
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid) {
		int ret = serve(server, round, redirects);

		fflush(stdout);
		_exit(ret);
	}
	return pid;
}

static void verify(void)
{
	static unsigned char got[SIZE];
	struct cow *cow = cow_server(SIZE, false);
	uint64_t i;
	int fd;

	expect(cow && !cow_do(cow, ABUSE_OP_READ, 0, 0, SIZE, got), "the disk", 0);
	for (i = 0; i < SIZE; i++)
		expect(got[i] == s->disk[i], "in the end", i);
	if (cow)
		backend_cow.close(cow, false);
	fd = open(cow_base, O_RDONLY | O_CLOEXEC);
	expect(read(fd, got, BASE_SIZE) == BASE_SIZE && !memcmp(got, s->base, BASE_SIZE),
	      "the base", 0);
	close(fd);
}

/* On a busy machine a round does little before its servers die. */
static bool is_enough(uint64_t round)
{
	uint64_t turns = 0;

	for (int i = 0; i < WORKERS; i++)
		turns += s->turn[i];
	return round >= ROUNDS &&
	       ((*kernel_hits > 50 && turns > 1000) || round >= 20 * ROUNDS);
}

static void do_round(uint64_t round)
{
	static struct kernel_sector *map;
	uint64_t seed = round;
	pid_t pid[SERVERS];
	int i, who;

	map = map ?: kernel_map;
	kernel_map = round % 3 ? map : NULL;
	kernel_reset();
	unlink(cow_delta);
	memset(s->disk, 0, SIZE);
	memcpy(s->disk, s->base, BASE_SIZE);
	s->is_over = false;
	cut_into_parts(round);
	/* Every other time the first servers make DELTA. */
	if (round & 1)
		verify();
	for (i = 0; i < SERVERS; i++)
		pid[i] = start(i, round, i & 1);
	for (i = 0; i < KILLS; i++) {
		usleep(next_random(&seed) % 2000);
		who = (int)(next_random(&seed) % SERVERS);
		kill(pid[who], SIGKILL);
		waitpid(pid[who], NULL, 0);
		pid[who] = start(who, round, next_random(&seed) & 1);
	}
	__atomic_store_n(&s->is_over, true, __ATOMIC_RELEASE);
	for (i = 0; i < SERVERS; i++)
		waitpid(pid[i], NULL, 0);
	verify();
}

/* Setting a bit writes all bits of its byte: too seldom at once to be seen above. */
static void locks_cover_whole_bytes(void)
{
	const struct cow_map map = { .size = SIZE };
	uint64_t live = cow_live(SIZE), first, end;
	unsigned int wrong = 0;

	for (first = 0; first < 40; first++)
		for (end = first + 1; end <= 40; end++) {
			struct cow_range range = cow_map_range(&map, first, end);

			wrong += range.first != live + first / 8 ||
				 range.end != live + (end + 7) / 8;
		}
	is(wrong, 0, "ranges that do not cover the bytes of their bits");
}

int main(void)
{
	uint64_t turns = 0, round;
	int i;

	s = mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		 0);
	must(s != MAP_FAILED, "memory");
	for (i = 0; i < (int)BASE_SIZE; i++)
		s->base[i] = (unsigned char)(i / SECTOR * 2 | 128);
	/* Some of it is empty, as in most bases. */
	memset(s->base + 5 * COW_CHUNK, 0, 3 * COW_CHUNK);
	cow_begin(s->base, BASE_SIZE);
	locks_cover_whole_bytes();
	kernel_begin(SIZE);
	for (round = 0; !is_enough(round) && !s->wrong; round++)
		do_round(round);
	for (i = 0; i < WORKERS; i++)
		turns += s->turn[i];
	is(s->wrong, 0, "bytes that are wrong");
	ok(turns > 1000, "%llu operations", (unsigned long long)turns);
	ok(*kernel_hits > 50, "%lu by the kernel alone, after %lu calls", *kernel_hits, *kernel_calls);
	return done();
}
