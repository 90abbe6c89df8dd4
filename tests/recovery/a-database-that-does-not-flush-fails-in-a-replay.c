/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * SQLite on ext4 on a recorded disk: with synchronous=FULL each disk that a power cut could have
 * left has every row that was acknowledged, and no error; with OFF the replay finds disks that have
 * not. (With a journal that is deleted, SQLite's default, FULL does not either: the folder is not
 * synced. SQLite's manual says so, and calls the mode that does EXTRA.)
 */
/* timeout: 150 */
/* needs: /usr/include/sqlite3.h:libsqlite3-dev */
/* cflags: -lsqlite3 -lm */
#include "abuse.h"
#include "../../utils/abusectl/record/log.c"
#include <sqlite3.h>

#define ROWS	8

static char dir[] = "/tmp/replay-XXXXXX", log_path[64];

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

/* ---- the check: of a disk, in a process of its own ---- */

static sqlite3_int64 number(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *statement;
	sqlite3_int64 value = -1;

	if (!sqlite3_prepare_v2(db, sql, -1, &statement, NULL) &&
	    sqlite3_step(statement) == SQLITE_ROW)
		value = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	return value;
}

/* The file system as its journal leaves it, and the files out of it: a loop disk would cost more. */
static int check_disk(const char *disk)
{
	const char *mark = getenv("ABUSE_MARK");
	long long wanted = mark ? atoll(mark) : 0, rows, bad;
	char db_path[4096];
	sqlite3 *db;
	int ret;

	if (!wanted)
		return 0;
	snprintf(db_path, sizeof(db_path), "%s.db", disk);
	ret = command("e2fsck -p -E journal_only %s >/dev/null 2>&1", disk);
	if (WEXITSTATUS(ret) > 1)
		return 1;
	unlink(db_path);
	ret = command("debugfs -R 'dump /db %s' %s 2>/dev/null; debugfs -R 'dump /db-journal %s-journal' %s 2>/dev/null",
		      db_path, disk, db_path, disk);
	if (ret || sqlite3_open_v2(db_path, &db, SQLITE_OPEN_READWRITE, NULL))
		return 2;
	rows = number(db, "select max(n) from t where length(bytes) = 3000 + n");
	bad = number(db, "select count(*) from pragma_integrity_check where integrity_check <> 'ok'");
	sqlite3_close(db);
	command("rm -f %s %s-journal", db_path, db_path);
	printf("# %s rows were acknowledged, there are %lld, %lld errors\n", mark, rows, bad);
	return rows < wanted || bad ? 3 : 0;
}

/* ---- the workload ---- */

static bool run_sql(sqlite3 *db, const char *sql)
{
	char *error = NULL;
	bool is_done = !sqlite3_exec(db, sql, NULL, NULL, &error);

	if (!is_done)
		printf("# %s: %s\n", sql, error);
	sqlite3_free(error);
	return is_done;
}

static bool write_rows(struct log *log, const char *mode)
{
	char sql[256], text[16];
	bool is_done;
	sqlite3 *db;

	if (sqlite3_open("/mnt/db", &db))
		return false;
	snprintf(sql, sizeof(sql), "pragma synchronous=%s; pragma journal_mode=truncate; create table t(n integer, bytes)", mode);
	is_done = run_sql(db, sql);
	for (int n = 1; n <= ROWS && is_done; n++) {
		struct log_record mark = { .op = LOG_MARK };

		snprintf(sql, sizeof(sql), "begin; insert into t values(%d, randomblob(3000 + %d));"
			 " update t set bytes = randomblob(3000 + n) where n = %d; commit", n, n, n / 2);
		is_done = run_sql(db, sql);
		mark.length = snprintf(text, sizeof(text), "%d", n);
		is_done = is_done && !log_append(log, &mark, text, true);
	}
	sqlite3_close(db);
	return is_done;
}

static void record(const struct device *d, const char *mode)
{
	struct log_header header;
	struct log log;

	need(!command("abusectl server --fork %u record:%s:mem size=8M", d->number, log_path),
	     "a recorded disk");
	need(!command("mkfs.ext4 -q -N 32 -J size=1 %s && mount %s /mnt", d->disk, d->disk),
	     "a file system");
	need(!log_open(&log, log_path, O_RDWR, &header), "its log");
	ok(write_rows(&log, mode), "SQLite with synchronous=%s", mode);
	log_close(&log);
	need(!command("umount /mnt && abusectl reset %u", d->number), "the end of the disk");
}

static int replay(const char *self)
{
	return command("abusectl replay --dir %s --each --reorder %s -- %s check {}", dir, log_path, self);
}

static void remove_all(void)
{
	if (getpid() == test_main_pid)
		command("umount /mnt 2>/dev/null; rm -rf %s", dir);
}

int main(int argc, char **argv)
{
	char self[4096] = "";
	struct device d;

	if (argc == 3 && !strcmp(argv[1], "check"))
		return check_disk(argv[2]);
	test_begin();
	if (command("command -v abusectl debugfs >/dev/null"))
		skip("abusectl or debugfs is not here");
	need(readlink("/proc/self/exe", self, sizeof(self) - 1) > 0 && mkdtemp(dir), "a folder");
	atexit(remove_all);
	d = device_new();
	snprintf(log_path, sizeof(log_path), "%s/full", dir);
	record(&d, "FULL");
	is(replay(self), 0, "disks of FULL that are not as acknowledged");
	snprintf(log_path, sizeof(log_path), "%s/off", dir);
	record(&d, "OFF");
	is(WEXITSTATUS(replay(self)), 1, "with OFF the replay finds some");
	return done();
}
