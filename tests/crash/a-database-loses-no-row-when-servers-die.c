/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * SQLite writes rows to a file system on a disk whose servers are killed, stopped, run out of
 * descriptors or of memory, and are replaced, by other programs too: every row that was acknowledged is
 * there afterwards, each as it was written, the database and the file system have no error, and the writer
 * saw none. If the file system of the store is full, the writer gets an error and the server goes on: once
 * there is room again, every acknowledged row is there, and more can be written.
 *
 * CRASH_KILLS is how often for each disk (12, and 3 for nbd: and the shared store), CRASH_SEED the seed,
 * CRASH_DISKS which disks, of those below, as a list of numbers (0,1,7,8), CRASH_FULL of which of them the store
 * gets full (0). To the file CRASH_TALLY a line is appended for each: seed, file system, backend, kills, rows
 * acknowledged, rows lost, repairs. To the file CRASH_JOURNAL, which the host keeps, goes the number of each row as it is
 * acknowledged, after the number of its disk, and at the end how many are there; campaign/run compares these.
 */
/* allow-log: invoked oom-killer|BTRFS: Transaction aborted */
/* timeout: 150 */
/* needs: /usr/include/sqlite3.h:libsqlite3-dev */
/* cflags: -lsqlite3 -lm */
#include "abuse.h"
#include <sqlite3.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/statvfs.h>

#define GROUP		"/sys/fs/cgroup/crash"
#define FAULTS		8
#define SMALL		(64 * MIB)	/* as the RAM disk among the examples makes its disk */

#define EXT4	.fs = "ext4", .mkfs = "mkfs.ext4 -q %s", .fsck = "e2fsck -fn %s >/dev/null 2>&1"
#define XFS	.fs = "xfs", .mkfs = "mkfs.xfs -q -f %s", .fsck = "xfs_repair -n %s >/dev/null 2>&1"
#define BTRFS	.fs = "btrfs", .mkfs = "mkfs.btrfs -q -f %s", .fsck = "btrfs check %s >/dev/null 2>&1"

static const struct kind {
	const char *fs, *mkfs, *fsck, *backend;
	unsigned int longest;		/* of a row, bytes; 0: 5000 */
	unsigned int kills;		/* 0: as many as of the others */
} kinds[] = {
	{ EXT4, .backend = "file:%s/store" },
	{ XFS, .backend = "cow:%s/base:%s/delta" },
	{ BTRFS, .backend = "file:%s/store" },
	{ EXT4, .backend = "cow:%s/base:%s/delta" },
	{ XFS, .backend = "file:%s/store" },
	{ BTRFS, .backend = "cow:%s/base:%s/delta" },
	{ EXT4, .backend = "mem" },
	{ XFS, .backend = "nbd:nbd+unix:///?socket=%s/socket", .kills = 3 },
	/* Served by the example in C, by abusectl and by the calls of 2009 */
	{ EXT4, .backend = "file:/dev/shm/crash", .longest = 500, .kills = 3 },
};

#define NBD		7
#define SHARED		8

static struct shared {
	_Atomic unsigned long acknowledged, failed;
	_Atomic bool is_over;
	char error[128];
} *s;

static char dir[] = "/var/tmp/crash-XXXXXX";
static struct device d;
static uint64_t seed;
static pid_t nbd;
static unsigned long hungry;

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

/* Outside of this machine, so that it is there whatever becomes of it. */
static void note_outside(const struct kind *kind, const char *what, long long rows)
{
	const char *path = getenv("CRASH_JOURNAL");
	int fd = path ? open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644) : -1;

	if (fd < 0)
		return;
	dprintf(fd, "%s %td %lld\n", what, kind - kinds, rows);
	close(fd);
}

static sqlite3_stmt *prepare(sqlite3 *db, const char *format, unsigned int longest)
{
	sqlite3_stmt *statement = NULL;
	char sql[160];

	snprintf(sql, sizeof(sql), format, longest ?: 5000);
	sqlite3_prepare_v2(db, sql, -1, &statement, NULL);
	return statement;
}

static int write_rows(void *arg)
{
	const struct kind *kind = arg;
	sqlite3_stmt *insert = NULL;
	sqlite3 *db;

	close_all_above_2();
	if (sqlite3_open("/mnt/db", &db) ||
	    sqlite3_exec(db, "pragma journal_mode=truncate; pragma synchronous=full;"
			 "create table if not exists t(n integer primary key, text)", NULL, NULL, NULL) ||
	    !(insert = prepare(db, "insert into t values(?1, printf('%%.*c%%d', ?1 %% %u, 'x', ?1))", kind->longest)))
		s->failed++;
	for (unsigned long n = s->acknowledged + 1; !s->is_over && !s->failed; n++) {
		sqlite3_bind_int64(insert, 1, n);
		if (sqlite3_step(insert) != SQLITE_DONE || sqlite3_reset(insert)) {
			s->failed++;
		} else {
			s->acknowledged = n;
			note_outside(kind, "acknowledged", n);
		}
	}
	if (s->failed)
		snprintf(s->error, sizeof(s->error), "%s", sqlite3_errmsg(db));
	sqlite3_close_v2(db);
	return 0;
}

static long long number(sqlite3 *db, const char *format, unsigned int longest)
{
	sqlite3_stmt *statement = prepare(db, format, longest);
	long long value = -1;

	if (statement && sqlite3_step(statement) == SQLITE_ROW)
		value = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	return value;
}

/* Rows that were acknowledged and are not there, or not as they were; -1: an error */
static long long lost_rows(const struct kind *kind)
{
	unsigned int longest = kind->longest;
	long long good, all, errors;
	sqlite3 *db;

	if (sqlite3_open_v2("/mnt/db", &db, SQLITE_OPEN_READWRITE, NULL))
		return -1;
	good = number(db, "select count(*) from t where text = printf('%%.*c%%d', n %% %u, 'x', n)", longest);
	all = number(db, "select coalesce(max(n), 0) from t", longest);
	errors = number(db, "select count(*) from pragma_integrity_check where integrity_check <> 'ok'", longest);
	sqlite3_close(db);
	note_outside(kind, "there", good);
	if (errors || good < 0 || good != all)
		return -1;
	return good < (long long)s->acknowledged ? (long long)s->acknowledged - good : 0;
}

/* ---- servers ---- */

enum want { PLAIN, FIRST, FEW_DESCRIPTORS, LITTLE_MEMORY };

/* The calls of 2009, in memory that all servers of this store share. */
static int bio_main(void *arg)
{
	int store = open("/dev/shm/crash", O_RDWR | O_CLOEXEC), fd = server_open(&d), ret;
	char *bytes = mmap(NULL, SMALL, PROT_READ | PROT_WRITE, MAP_SHARED, store, 0);
	struct bio bio;

	(void)arg;
	for (ret = bytes == MAP_FAILED ? -ENOMEM : 0; ret != -ENODEV && ret != -ENOMEM; ) {
		ret = get_bio(fd, &bio);
		if (!ret) {
			bio_point(&bio, bytes + bio.hdr.ab_sector * 512);
			ret = put_bio(fd, &bio, 0);
		} else {
			nap_ms(1);
		}
	}
	return 1;
}

static void write_to(const char *path, const char *format, unsigned long long value)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	char text[32];

	snprintf(text, sizeof(text), format, value);
	need(write(fd, text, strlen(text)) > 0, "%s in %s", text, path);
	close(fd);
}

/* A group of its own, whose memory is soon used up. */
static void starve(unsigned long long bytes)
{
	mkdir(GROUP, 0755);
	write_to("/sys/fs/cgroup/cgroup.subtree_control", "+memory", 0);
	write_to(GROUP "/memory.max", "%llu", bytes);
	write_to(GROUP "/cgroup.procs", "%llu", (unsigned long long)getpid());
	prctl(PR_SET_PDEATHSIG, SIGKILL);
}

static unsigned long starved(void)
{
	char line[64];
	unsigned long value = 0;
	FILE *file = fopen(GROUP "/memory.events", "r");

	while (file && fgets(line, sizeof(line), file))
		sscanf(line, "oom_kill %lu", &value);
	if (file)
		fclose(file);
	return value;
}

static void become_abusectl(const struct kind *kind, const char *keys)
{
	char number_text[16], backend[256];

	snprintf(number_text, sizeof(number_text), "%u", d.number);
	snprintf(backend, sizeof(backend), kind->backend, dir, dir);
	execlp("abusectl", "abusectl", "server", number_text, backend, keys, NULL);
	_exit(127);
}

static void become_ramdisk(void)
{
	char program[64], number_text[16];

	snprintf(program, sizeof(program), "%s/ramdisk", dir);
	snprintf(number_text, sizeof(number_text), "%u", d.number);
	execl(program, program, number_text, "/dev/shm/crash", NULL);
	_exit(127);
}

static pid_t serve(const struct kind *kind, enum want want)
{
	/* A server with a map leaves most to the kernel, and one without takes that back. */
	const char *keys = next_random() % 2 ? "size=400M,map=1" : "size=400M,map=0";
	/* The first of a shared store is the one that makes it. */
	unsigned int which = kind != &kinds[SHARED] ? 0 : want == FIRST ? 1 : next_random() % 3;
	unsigned int files = 5 + next_random() % 12;
	uint64_t bytes = 256 * KIB + next_random() % 2 * (next_random() % (3 * MIB));
	pid_t pid;

	if (kind == &kinds[NBD])
		keys = NULL;
	if (kind == &kinds[SHARED])
		keys = strchr(keys, ',') + 1;
	if (which == 2)
		return child_start(bio_main, NULL);
	fflush(stdout);
	pid = fork();
	if (pid)
		return pid;
	close_all_above_2();
	if (want == LITTLE_MEMORY)
		starve(bytes);
	/* So few that some of what it opens later cannot be. */
	if (want == FEW_DESCRIPTORS)
		setrlimit(RLIMIT_NOFILE, &(struct rlimit){ files, 64 });
	freopen("/dev/null", "w", stdout);
	if (want > FIRST)
		freopen("/dev/null", "w", stderr);
	if (which == 1)
		become_ramdisk();
	become_abusectl(kind, keys);
	return 0;
}

/* The NBD server of the disk nbd: */
static void start_nbdkit(void)
{
	char path[64], store[64];

	snprintf(path, sizeof(path), "%s/socket", dir);
	snprintf(store, sizeof(store), "%s/base", dir);
	unlink(path);
	fflush(stdout);
	nbd = fork();
	if (!nbd) {
		close_all_above_2();
		execlp("nbdkit", "nbdkit", "--foreground", "--unix", path, "file", store, NULL);
		_exit(127);
	}
	need(wait_for(!access(path, F_OK)), "nbdkit to listen");
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

static bool has_ended(pid_t pid)
{
	siginfo_t info = { 0 };

	return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) || info.si_pid;
}

/* One fault, of kind @which; what serves afterwards */
static pid_t fail_once(const struct kind *kind, pid_t pid, unsigned int which)
{
	pid_t second = -1, poor = -1;

	nap_ms(20 + next_random() % 250);
	switch (which % FAULTS) {
	case 0:				/* hangs, and goes on, or is killed as it hangs */
		kill(pid, SIGSTOP);
		nap_ms(next_random() % 300);
		if (next_random() % 2) {
			kill(pid, SIGCONT);
			return pid;
		}
		break;
	case 1:				/* two of them */
		second = serve(kind, PLAIN);
		nap_ms(next_random() % 300);
		break;
	case 2:				/* one that is out of descriptors */
		poor = serve(kind, FEW_DESCRIPTORS);
		nap_ms(next_random() % 300);
		break;
	case 3:				/* told to end */
		end(pid, SIGTERM);
		return serve(kind, PLAIN);
	case 4:				/* replaced by one that is soon out of memory */
		end(pid, SIGKILL);
		poor = pid = serve(kind, LITTLE_MEMORY);
		/* With a map rows go on without any server. */
		wait_for_within(stretched(1), has_ended(pid));
		hungry++;
		break;
	case 5:				/* the NBD server, where there is one */
		if (kind != &kinds[NBD])
			break;
		end(nbd, SIGKILL);
		nap_ms(next_random() % 300);
		start_nbdkit();
		return pid;
	}
	end(pid, SIGKILL);
	if (poor != pid)
		end(poor, SIGKILL);
	if (second < 0)
		return serve(kind, PLAIN);
	/* It may have found no room to begin beside the first. */
	if (waitpid(second, NULL, WNOHANG) == second)
		return serve(kind, PLAIN);
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

/* A file system, mounted: what serves its disk */
static pid_t begin(const struct kind *kind)
{
	pid_t server;

	memset(s, 0, sizeof(*s));
	note_outside(kind, "begins", 0);
	command("rm -rf %s/* /dev/shm/crash; truncate -s 400M %s/base", dir, dir);
	if (kind == &kinds[SHARED] &&
	    command("gcc -o %s/ramdisk ${TESTS:-tests}/../utils/examples/ramdisk.c $(pkg-config --cflags --libs libabuse)", dir))
		return -1;
	if (kind == &kinds[NBD])
		start_nbdkit();
	d = device_new();
	server = serve(kind, FIRST);
	need(wait_for(!strcmp(attribute(&d, "ready"), "1")), "a server of %s", kind->backend);
	need(!command(kind->mkfs, d.disk) && !command("mount %s /mnt", d.disk), "%s", kind->fs);
	return server;
}

static void end_all(pid_t server)
{
	end(server, SIGKILL);
	command("abusectl reset %u", d.number);
	end(nbd, SIGKILL);
	nbd = 0;
}

static void try(const struct kind *kind, unsigned long kills)
{
	unsigned long hungry_before = hungry, starved_before = starved();
	uint64_t begun = seed;
	long long lost;
	double start = now();
	pid_t server, writer;
	int repairs;

	server = begin(kind);
	if (server < 0) {
		printf("# no compiler or no libabuse here: nothing else serves a store of abusectl\n");
		return;
	}
	writer = child_start(write_rows, (void *)kind);
	for (unsigned long i = 0; i < kills && !s->failed; i++) {
		unsigned long rows = s->acknowledged;

		/* Each of them once, and then any. */
		server = fail_once(kind, server, i < FAULTS ? begun + i : next_random());
		need(wait_for(s->acknowledged > rows || s->failed), "a row after fault %lu", i);
	}
	s->is_over = true;
	is(child_wait(writer), 0, "the writer ends once a server is back");
	ok(!s->failed, "%s on %.4s: no error reached the writer: %s", kind->fs, kind->backend, s->error);
	need(!command("umount /mnt && mount %s /mnt", d.disk), "the file system once more");
	lost = lost_rows(kind);
	ok(!lost, "seed %llu: %lld of %lu rows are lost or wrong", (unsigned long long)begun, lost,
	   s->acknowledged);
	ok(s->acknowledged > 0, "%lu rows, %lu faults in %.0f s; the kernel killed %lu of %lu servers without memory",
	   s->acknowledged, kills, now() - start, starved() - starved_before, hungry - hungry_before);
	need(!command("umount /mnt"), "umount");
	repairs = command(kind->fsck, d.disk) != 0;
	ok(!repairs, "%s has nothing to repair", kind->fs);
	write_tally(kind, begun, kills, lost, repairs);
	end_all(server);
}

/* ---- a store that is full ---- */

/* 0, or the errno of a write to where no file system has anything on a disk with so little in it */
static int write_far_off(void)
{
	int fd = disk_open(&d, O_RDWR | O_DIRECT), err = 0;
	void *data = memory_new(4096);
	off_t at = (off_t)(disk_size(&d) / 8 * 7 / (64 * KIB) * (64 * KIB));

	if (pwrite(fd, data, 4096, at) != 4096)
		err = errno;
	munmap(data, 4096);
	close(fd);
	return err;
}

/* To the last byte, as others may give room back meanwhile. */
static void fill_up(const char *where)
{
	command("dd if=/dev/zero of=%s/full bs=64k >/dev/null 2>&1; dd if=/dev/zero of=%s/fuller bs=4k >/dev/null 2>&1; true",
		where, where);
}

/* A row more before long */
static bool writes_rows(const struct kind *kind)
{
	unsigned long rows = s->acknowledged;
	pid_t writer;

	s->failed = 0;
	s->error[0] = 0;
	s->is_over = false;
	writer = child_start(write_rows, (void *)kind);
	wait_for(s->acknowledged > rows + 1 || s->failed);
	s->is_over = true;
	return !child_wait(writer) && !s->failed && s->acknowledged > rows;
}

/* As a store of its own has it, tmpfs and ext4 in turn. */
static void mount_small(const struct kind *kind)
{
	if (!strcmp(kind->backend, "mem"))
		need(!command("mount -o remount,size=100M /dev/shm"), "a small /dev/shm");
	else if (next_random() % 2)
		need(!command("mount -t tmpfs -o size=100M tmpfs %s", dir), "a small tmpfs");
	else
		need(!command("truncate -s 100M %s.ext4 && mkfs.ext4 -q -F %s.ext4 && mount -o loop %s.ext4 %s", dir, dir,
			      dir, dir), "a small ext4");
}

static void unmount_small(void)
{
	command("mount -o remount,size=50%% /dev/shm; umount -l %s 2>/dev/null; rm -f %s.ext4", dir, dir);
}

static void try_full(const struct kind *kind)
{
	const char *where = strcmp(kind->backend, "mem") ? dir : "/dev/shm";
	double start = now();
	pid_t server, writer;
	long long lost;
	int err;

	mount_small(kind);
	server = begin(kind);
	writer = child_start(write_rows, (void *)kind);
	need(wait_for(s->acknowledged > 3 || s->failed) && !s->failed, "rows before the store is full: %s", s->error);
	fill_up(where);
	ok(wait_for(s->failed), "%.4s: a full store is an error to the writer, after %lu rows", kind->backend, s->acknowledged);
	printf("# SQLite says: %s\n", s->error);
	child_wait(writer);
	fill_up(where);
	err = write_far_off();
	is(err, ENOSPC, "errno of a write to a full store");
	is(waitpid(server, NULL, WNOHANG), 0, "the server goes on");
	command("rm -f %s/full %s/fuller", where, where);
	ok(wait_for(!write_far_off()), "the same server writes once there is room");
	need(!command("umount /mnt; mount %s /mnt", d.disk), "the file system once more");
	lost = lost_rows(kind);
	ok(!lost, "%lld of %lu rows are lost or wrong", lost, s->acknowledged);
	ok(writes_rows(kind), "more rows are written: %s; all took %.0f s", s->error, now() - start);
	need(!command("umount /mnt"), "umount");
	ok(!command(kind->fsck, d.disk), "%s has nothing to repair", kind->fs);
	end_all(server);
	unmount_small();
}

static void remove_all(void)
{
	if (getpid() == test_main_pid)
		command("umount /mnt 2>/dev/null; umount -l %s 2>/dev/null; rm -rf %s %s.ext4 /dev/shm/crash;"
			"rmdir " GROUP " 2>/dev/null; true", dir, dir, dir);
}

/* The kind that a list of numbers begins with, which is then shorter */
static const struct kind *next_kind(const char **list)
{
	const struct kind *kind = NULL;

	if (**list)
		kind = &kinds[strtoul(*list, NULL, 10) % (sizeof(kinds) / sizeof(kinds[0]))];
	*list += strcspn(*list, ",");
	*list += **list == ',';
	return kind;
}

int main(void)
{
	const char *text = getenv("CRASH_SEED"), *kills = getenv("CRASH_KILLS");
	const char *list = getenv("CRASH_DISKS") ?: "0,1,7,8", *full = getenv("CRASH_FULL") ?: "0";
	const struct kind *kind;

	test_begin();
	if (command("command -v abusectl mkfs.ext4 mkfs.xfs mkfs.btrfs nbdkit >/dev/null"))
		skip("abusectl, nbdkit or a file system is not here");
	seed = text ? strtoull(text, NULL, 0) : (uint64_t)time(NULL);
	printf("# CRASH_SEED=%llu\n", (unsigned long long)seed);
	s = memory_new(sizeof(*s));
	need(mkdtemp(dir), "a folder");
	atexit(remove_all);
	while ((kind = next_kind(&list)))
		try(kind, kills ? strtoul(kills, NULL, 10) : kind->kills ?: 12);
	while ((kind = next_kind(&full)))
		if (kind != &kinds[SHARED])
			try_full(kind);
	return done();
}
