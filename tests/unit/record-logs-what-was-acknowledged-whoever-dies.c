/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * Threads of several processes serve one disk through the backend record and are killed wherever
 * they are: the log stays whole, has every request that was acknowledged, in an order in which
 * whoever wrote a block twice wrote it, and a flush covers what was acknowledged before it
 * began, but nothing that came later.
 */
/* timeout: 90 */
/* under: thread */
#include "test.h"

#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "../../utils/abusectl/record/log.c"
#include "../../utils/abusectl/backends/store.c"
#include "../../utils/abusectl/backends/record.c"

#define SECTOR		512
#define SERVERS		3
#define THREADS		2		/* of each */
#define WORKERS		(SERVERS * THREADS)
#define BLOCKS		(4 * WORKERS)	/* block n is worker n % WORKERS's alone */
#define KILLS		150

static struct shared {
	uint64_t acknowledged[BLOCKS];	/* the last version of each block that was */
	uint64_t turn[WORKERS];
	uint64_t flushes;
	bool is_over;
} *s;

static char dir[32], args[128], log_path[64];
static int disk;
static pid_t parent;

/* ---- the backend behind it: a file that is there already ---- */

static int plain_open(struct target *target, const char *path, void **store)
{
	struct store *plain = malloc(sizeof(*plain));

	(void)target;
	(void)path;
	store_init(plain, dup(disk));
	*store = plain;
	return 0;
}

static void plain_close(void *store, bool is_gone)
{
	(void)is_gone;
	store_close(store);
	free(store);
}

static void (*while_flushing)(void);

static int plain_flush(struct abuse_req *req)
{
	if (while_flushing)
		while_flushing();
	return store_flush(req);
}

static const struct backend plain = {
	.name = "plain", .args = "X", .knows_size = true,
	.features = ABUSE_F_DISCARD | ABUSE_F_WRITE_ZEROES,
	.ops = { store_pread, store_pwrite, store_trim, store_zero, plain_flush,
		 NULL, NULL, NULL, NULL, { NULL } },
	.open = plain_open, .close = plain_close,
};

const struct backend *backend_find(const char *spec, const char **rest)
{
	*rest = strchr(spec, ':');
	return strncmp(spec, "plain", 5) ? NULL : &plain;
}

#define COMPLAINER(name, status)					\
int name(const char *subject, const char *format, ...)			\
{									\
	printf("# %s: %s\n", subject, format);				\
	return status;							\
}
COMPLAINER(failed, EXIT_FAILED)

int misused(const char *format, ...)
{
	printf("# %s\n", format);
	return EXIT_USAGE;
}

const char *device_name(unsigned int number)
{
	(void)number;
	return "abuse0";
}

/* ---- servers ---- */

static struct record *server(bool is_up)
{
	struct abuse_params params = { 0 };
	struct target target = { .size = BLOCKS * SECTOR, .params = &params, .is_up = is_up };
	void *store = NULL;

	return composed.open(&target, args, &store) ? NULL : store;
}

static int request(struct record *record, uint32_t op, uint32_t flags, uint64_t block,
		   const uint64_t *data)
{
	int (*callbacks[])(struct abuse_req *req) = {
		record_pread, record_pwrite, record_flush, record_trim, record_zero,
	};
	struct abuse_req req = {
		.arg = record, .op = op, .flags = flags, .offset = block * SECTOR,
		.length = op == ABUSE_OP_FLUSH ? 0 : SECTOR, .data = (void *)data,
	};
	int ret = callbacks[op](&req);

	return req.arg == record ? ret : -EFAULT;
}

struct worker {
	pthread_t thread;
	struct record *record;
	uint64_t me;
};

/* A flush is logged behind a mark: what each block had before it began. */
static int flush_and_tell(struct record *record)
{
	struct log_record mark = { .op = LOG_MARK, .length = sizeof(s->acknowledged) };
	uint64_t before[BLOCKS];

	for (int i = 0; i < BLOCKS; i++)
		before[i] = __atomic_load_n(&s->acknowledged[i], __ATOMIC_SEQ_CST);
	if (request(record, ABUSE_OP_FLUSH, 0, 0, NULL))
		return -1;
	__atomic_add_fetch(&s->flushes, 1, __ATOMIC_SEQ_CST);
	return log_append(&record->log, &mark, before, true);
}

static void *work(void *arg)
{
	const struct worker *worker = arg;
	uint64_t data[SECTOR / 8], turn, block;
	int ret = 0, i;

	while (!ret && !__atomic_load_n(&s->is_over, __ATOMIC_ACQUIRE)) {
		turn = ++s->turn[worker->me];
		block = turn % (BLOCKS / WORKERS) * WORKERS + worker->me;
		for (i = 0; i < SECTOR / 8; i++)
			data[i] = turn;
		ret = request(worker->record, ABUSE_OP_WRITE, turn % 5 ? 0 : ABUSE_REQ_FUA,
			      block, data);
		if (!ret)
			__atomic_store_n(&s->acknowledged[block], turn, __ATOMIC_SEQ_CST);
		if (!ret && turn % 7 == 0)
			ret = flush_and_tell(worker->record);
	}
	if (ret)
		_exit(1);
	return NULL;
}

static pid_t start(uint64_t number)
{
	struct worker workers[THREADS];
	pid_t pid = fork();

	if (pid)
		return pid;
	for (uint64_t i = 0; i < THREADS; i++) {
		workers[i] = (struct worker){
			.record = server(true), .me = number * THREADS + i,
		};
		if (!workers[i].record ||
		    pthread_create(&workers[i].thread, NULL, work, &workers[i]))
			_exit(2);
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(workers[i].thread, NULL);
	_exit(0);
}

/* ---- what the log says ---- */

static uint64_t got[BLOCKS], place[BLOCKS];	/* last version of each block, and where */
static unsigned long wrong, records, marks, fua;

static void read_write(const struct log *log, const struct log_record *record, uint64_t at)
{
	uint64_t block = record->offset / SECTOR, data[SECTOR / 8];

	if (record->length != SECTOR || block >= BLOCKS ||
	    pread(log->fd, data, SECTOR, (off_t)at) != SECTOR ||
	    data[0] != data[SECTOR / 8 - 1] || data[0] < got[block]) {
		wrong++;
		return;
	}
	if (!(record->flags & LOG_FUA) != !!(data[0] % 5))
		wrong++;
	fua += record->flags & LOG_FUA;
	got[block] = data[0];
	place[block] = at;
}

static void read_log(void)
{
	uint64_t at = sizeof(struct log_header), begun = 0, before[BLOCKS];
	struct log_header header;
	struct log_record record;
	struct log log;
	int ret;

	must(!log_open(&log, log_path, O_RDONLY, &header), "the log is one");
	while ((ret = log_next(&log, &at, header.end, &record)) > 0) {
		records++;
		if (record.op == LOG_WRITE)
			read_write(&log, &record, at - record.length);
		if (record.op == LOG_FLUSH && (record.begun > at || record.begun < 64))
			wrong++;
		if (record.op == LOG_FLUSH && record.begun > begun)
			begun = record.begun;
		if (record.op != LOG_MARK)
			continue;
		marks++;
		if (pread(log.fd, before, sizeof(before), (off_t)(at - sizeof(before))) < 0)
			wrong++;
		/* Each version is in the log, and one as old as that has its place below. */
		for (int i = 0; i < BLOCKS; i++)
			wrong += before[i] > got[i] ||
				 (before[i] == got[i] && before[i] && place[i] >= begun);
	}
	is(ret, 0, "the end of the log");
	for (int i = 0; i < BLOCKS; i++)
		wrong += s->acknowledged[i] > got[i];
	log_close(&log);
}

static void clean_up(void)
{
	if (getpid() != parent)
		return;
	unlink(log_path);
	rmdir(dir);
}

static struct record *other;

static void write_by_another(void)
{
	uint64_t data[SECTOR / 8] = { 0 };

	if (request(other, ABUSE_OP_WRITE, 0, 1, data))
		fail("a write while the disk flushes");
}

static void what_comes_while_the_disk_flushes_is_not_covered(void)
{
	uint64_t data[SECTOR / 8] = { 0 }, at = sizeof(struct log_header);
	struct record *record = server(false);
	struct log_record entries[3];
	struct log_header header;
	struct log log;

	other = server(true);
	must(record && other, "two servers");
	must(!request(record, ABUSE_OP_WRITE, 0, 0, data), "a write");
	while_flushing = write_by_another;
	must(!request(record, ABUSE_OP_FLUSH, 0, 0, NULL), "a flush");
	while_flushing = NULL;
	record_close(record, false);
	record_close(other, false);
	must(!log_open(&log, log_path, O_RDONLY, &header), "the log");
	for (int i = 0; i < 3; i++)
		must(log_next(&log, &at, header.end, &entries[i]) == 1, "record %d", i);
	ok(entries[0].op == LOG_WRITE && entries[1].op == LOG_WRITE &&
	   entries[2].op == LOG_FLUSH, "two writes and a flush");
	is(entries[2].begun, sizeof(header) + sizeof(entries[0]) + SECTOR,
	   "where the flush began: behind the first write");
	log_close(&log);
	unlink(log_path);
}

static void logs_are_not_taken_for_others(void)
{
	struct abuse_params params = { 0 };
	struct target target = { .size = 4 * SECTOR, .params = &params, .is_up = true };
	void *store;

	ok(backend_record.open(&target, args, &store), "a log that is gone is not begun anew");
	target.is_up = false;
	must(!backend_record.open(&target, args, &store), "a log is begun");
	is(target.features, ABUSE_F_WRITE_CACHE | ABUSE_F_FUA, "features");
	record_close(store, true);
	ok(access(log_path, F_OK), "one that nothing was written to goes with its device");
	must(!backend_record.open(&target, args, &store), "and again");
	record_close(store, false);
	target.size = 8 * SECTOR;
	ok(backend_record.open(&target, args, &store), "that of another disk is refused");
	unlink(log_path);
}

int main(void)
{
	pid_t pid[SERVERS];
	int i, status, bad = 0;
	struct record *record;

	s = mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	snprintf(dir, sizeof(dir), "%s/record-XXXXXX", test_folder());
	must(s != MAP_FAILED && mkdtemp(dir), "memory and a folder");
	parent = getpid();
	atexit(clean_up);
	snprintf(log_path, sizeof(log_path), "%s/log", dir);
	snprintf(args, sizeof(args), "%s:plain:x", log_path);
	disk = memfd_create("disk", MFD_CLOEXEC);
	must(disk >= 0 && !ftruncate(disk, BLOCKS * SECTOR), "a disk");
	must(backend_record.compose(args), "the two together");
	is(composed.features, ABUSE_F_WRITE_CACHE | ABUSE_F_FUA | plain.features,
	   "features of the two");
	logs_are_not_taken_for_others();
	what_comes_while_the_disk_flushes_is_not_covered();
	record = server(false);
	must(record, "a log is begun");

	fflush(stdout);
	for (i = 0; i < SERVERS; i++)
		pid[i] = start((uint64_t)i);
	srand(1);
	/* On a busy machine a server does little before it dies. */
	for (i = 0; i < KILLS || (i < 20 * KILLS && s->flushes < 300); i++) {
		int who = rand() % SERVERS;

		usleep((unsigned int)rand() % 4000);
		kill(pid[who], SIGKILL);
		waitpid(pid[who], &status, 0);
		bad += !WIFSIGNALED(status);
		pid[who] = start((uint64_t)who);
	}
	__atomic_store_n(&s->is_over, true, __ATOMIC_RELEASE);
	for (i = 0; i < SERVERS; i++) {
		waitpid(pid[i], &status, 0);
		bad += status != 0;
	}
	is(bad, 0, "servers that ended by themselves, or not at all");
	record_close(record, false);
	read_log();
	is(wrong, 0, "records that are wrong");
	ok(records > 1000 && marks > 100 && fua > 100 && s->flushes >= marks,
	   "%lu records, %lu marks, %lu with FUA", records, marks, fua);
	return done();
}
