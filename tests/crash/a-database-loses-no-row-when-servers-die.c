/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * SQLite writes rows to a file system on a disk whose servers are killed, stopped, run out of
 * descriptors, and are replaced: every row that was acknowledged is there afterwards, each as it
 * was written, the database and the file system have no error, and the writer saw none.
 *
 * CRASH_KILLS is how often for each disk (12), CRASH_SEED the seed, CRASH_DISKS which disks, of
 * those below, as a list of numbers (0,1,2). To the file CRASH_TALLY a line is appended for each: seed,
 * file system, backend, kills, rows acknowledged, rows lost, repairs.
 */
/* timeout: 150 */
/* needs: /usr/include/sqlite3.h:libsqlite3-dev */
/* cflags: -lsqlite3 -lm */
#include "abuse.h"
#include <sqlite3.h>
#include <sys/resource.h>

static const struct kind {
	const char *fs, *mkfs, *fsck, *backend;
} kinds[] = {
	{ "ext4", "mkfs.ext4 -q %s", "e2fsck -fn %s >/dev/null 2>&1", "file:%s/store" },
	{ "xfs", "mkfs.xfs -q -f %s", "xfs_repair -n %s >/dev/null 2>&1", "cow:%s/base:%s/delta" },
	{ "btrfs", "mkfs.btrfs -q -f %s", "btrfs check %s >/dev/null 2>&1", "file:%s/store" },
	{ "ext4", "mkfs.ext4 -q %s", "e2fsck -fn %s >/dev/null 2>&1", "cow:%s/base:%s/delta" },
	{ "xfs", "mkfs.xfs -q -f %s", "xfs_repair -n %s >/dev/null 2>&1", "file:%s/store" },
	{ "btrfs", "mkfs.btrfs -q -f %s", "btrfs check %s >/dev/null 2>&1", "cow:%s/base:%s/delta" },
	{ "ext4", "mkfs.ext4 -q %s", "e2fsck -fn %s >/dev/null 2>&1", "mem" },
};

static struct shared {
	_Atomic unsigned long acknowledged, failed;
	_Atomic bool is_over;
	char error[128];
} *s;

static char dir[] = "/var/tmp/crash-XXXXXX";
static struct device d;
static uint64_t seed;

static uint64_t next_random(void)
{
	uint64_t z = seed += 0x9e3779b97f4a7c15;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

static int command(const char *format, ...)
{
	char text[1024];
	va_list args;
	int status;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	status = system(text);
	if (status)
		printf("# %s: %d\n", text, status);
	return status;
}

/* ---- the writer ---- */

static int write_rows(void *arg)
{
	sqlite3_stmt *insert;
	sqlite3 *db;

	(void)arg;
	close_all_above_2();
	if (sqlite3_open("/mnt/db", &db) ||
	    sqlite3_exec(db, "pragma journal_mode=truncate; pragma synchronous=full;"
			 "create table t(n integer primary key, text)", NULL, NULL, NULL) ||
	    sqlite3_prepare_v2(db, "insert into t values(?1, printf('%.*c%d', ?1 % 5000, 'x', ?1))", -1,
			       &insert, NULL))
		s->failed++;
	for (unsigned long n = 1; !s->is_over && !s->failed; n++) {
		sqlite3_bind_int64(insert, 1, n);
		if (sqlite3_step(insert) != SQLITE_DONE || sqlite3_reset(insert))
			s->failed++;
		else
			s->acknowledged = n;
	}
	if (s->failed)
		snprintf(s->error, sizeof(s->error), "%s", sqlite3_errmsg(db));
	sqlite3_close_v2(db);
	return 0;
}

static long long number(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *statement;
	long long value = -1;

	if (!sqlite3_prepare_v2(db, sql, -1, &statement, NULL) &&
	    sqlite3_step(statement) == SQLITE_ROW)
		value = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	return value;
}

/* Rows that were acknowledged and are not there, or not as they were; -1: an error */
static long long lost_rows(void)
{
	long long good, all, errors;
	sqlite3 *db;

	if (sqlite3_open_v2("/mnt/db", &db, SQLITE_OPEN_READWRITE, NULL))
		return -1;
	good = number(db, "select count(*) from t where text = printf('%.*c%d', n % 5000, 'x', n)");
	all = number(db, "select max(n) from t");
	errors = number(db, "select count(*) from pragma_integrity_check where integrity_check <> 'ok'");
	sqlite3_close(db);
	if (errors || good < 0 || good != all)
		return -1;
	return good < (long long)s->acknowledged ? (long long)s->acknowledged - good : 0;
}

/* ---- servers ---- */

static pid_t serve(const struct kind *kind, bool is_poor)
{
	/* A server with a map leaves most to the kernel, and one without takes that back. */
	const char *keys = next_random() % 2 ? "size=400M,map=1" : "size=400M,map=0";
	char number_text[16], backend[256];
	pid_t pid;

	snprintf(number_text, sizeof(number_text), "%u", d.number);
	snprintf(backend, sizeof(backend), kind->backend, dir, dir);
	fflush(stdout);
	pid = fork();
	if (pid)
		return pid;
	close_all_above_2();
	/* So few that some of what it opens later cannot be. */
	if (is_poor)
		setrlimit(RLIMIT_NOFILE, &(struct rlimit){ 5 + next_random() % 12, 64 });
	freopen("/dev/null", "w", stdout);
	if (is_poor)
		freopen("/dev/null", "w", stderr);
	execlp("abusectl", "abusectl", "server", number_text, backend, keys, NULL);
	_exit(127);
}

static void end(pid_t pid, int number)
{
	if (pid <= 0)
		return;
	kill(pid, number);
	if (number != SIGKILL && child_wait(pid) >= 0)
		return;
	kill(pid, SIGKILL);
	child_wait(pid);
}

/* One fault: what serves afterwards */
static pid_t fail_once(const struct kind *kind, pid_t pid)
{
	pid_t second = -1, poor = -1;

	nap_ms(20 + next_random() % 250);
	switch (next_random() % 6) {
	case 0:				/* hangs, and goes on, or is killed as it hangs */
		kill(pid, SIGSTOP);
		nap_ms(next_random() % 300);
		if (next_random() % 2) {
			kill(pid, SIGCONT);
			return pid;
		}
		break;
	case 1:				/* two of them */
		second = serve(kind, false);
		nap_ms(next_random() % 300);
		break;
	case 2:				/* one that is out of descriptors */
		poor = serve(kind, true);
		nap_ms(next_random() % 300);
		break;
	case 3:				/* told to end */
		end(pid, SIGTERM);
		return serve(kind, false);
	}
	end(pid, SIGKILL);
	end(poor, SIGKILL);
	if (second < 0)
		return serve(kind, false);
	/* It may have found no room to begin beside the first. */
	if (waitpid(second, NULL, WNOHANG) == second)
		return serve(kind, false);
	return second;
}

static void write_tally(const struct kind *kind, uint64_t begun, unsigned long kills,
			long long lost, int repairs)
{
	const char *path = getenv("CRASH_TALLY");
	FILE *file = path ? fopen(path, "a") : NULL;

	if (!file)
		return;
	fprintf(file, "%llu %s %.4s %lu %lu %lld %d\n", (unsigned long long)begun, kind->fs,
		kind->backend, kills, s->acknowledged, lost, repairs);
	fclose(file);
}

static void try(const struct kind *kind, unsigned long kills)
{
	uint64_t begun = seed;
	long long lost;
	pid_t server, writer;
	int repairs;

	memset(s, 0, sizeof(*s));
	command("rm -f %s/*; truncate -s 400M %s/base", dir, dir);
	d = device_new();
	server = serve(kind, false);
	need(wait_for(!strcmp(attribute(&d, "ready"), "1")), "a server of %s", kind->backend);
	need(!command(kind->mkfs, d.disk) && !command("mount %s /mnt", d.disk), "%s", kind->fs);
	writer = child_start(write_rows, NULL);
	for (unsigned long i = 0; i < kills && !s->failed; i++) {
		unsigned long rows = s->acknowledged;

		server = fail_once(kind, server);
		need(wait_for(s->acknowledged > rows || s->failed), "a row after fault %lu", i);
	}
	s->is_over = true;
	is(child_wait(writer), 0, "the writer ends once a server is back");
	ok(!s->failed, "%s on %.4s: no error reached the writer: %s", kind->fs, kind->backend, s->error);
	need(!command("umount /mnt && mount %s /mnt", d.disk), "the file system once more");
	lost = lost_rows();
	ok(!lost, "seed %llu: %lld of %lu rows are lost or wrong", (unsigned long long)begun, lost,
	   s->acknowledged);
	ok(s->acknowledged > 0, "%lu rows, %lu faults", s->acknowledged, kills);
	need(!command("umount /mnt"), "umount");
	repairs = command(kind->fsck, d.disk) != 0;
	ok(!repairs, "%s has nothing to repair", kind->fs);
	write_tally(kind, begun, kills, lost, repairs);
	end(server, SIGKILL);
	command("abusectl reset %u", d.number);
}

static void remove_all(void)
{
	if (getpid() == test_main_pid)
		command("umount /mnt 2>/dev/null; rm -rf %s", dir);
}

int main(void)
{
	const char *text = getenv("CRASH_SEED"), *list = getenv("CRASH_DISKS") ?: "0,1";
	unsigned long kills = getenv("CRASH_KILLS") ? strtoul(getenv("CRASH_KILLS"), NULL, 10) : 12;

	test_begin();
	if (command("command -v abusectl mkfs.ext4 mkfs.xfs mkfs.btrfs >/dev/null"))
		skip("abusectl or a file system is not here");
	seed = text ? strtoull(text, NULL, 0) : (uint64_t)time(NULL);
	printf("# CRASH_SEED=%llu\n", (unsigned long long)seed);
	s = memory_new(sizeof(*s));
	need(mkdtemp(dir), "a folder");
	atexit(remove_all);
	for (; *list; list += strcspn(list, ","), list += *list == ',')
		try(&kinds[strtoul(list, NULL, 10) % (sizeof(kinds) / sizeof(kinds[0]))], kills);
	return done();
}
