/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * A file that one device serves is refused to every other, by whatever name, for reading and
 * for writing, as file: and as BASE or DELTA of cow:, until its last server has ended, even
 * by kill. Any number of devices may read one file, and any servers of one device join. Of
 * two devices that come at the same moment never both are served.
 */
/* cflags: -lz */
#include "test.h"

#include <time.h>

/* Those who try again do so sooner. */
static int short_nanosleep(const struct timespec *nap, struct timespec *left)
{
	struct timespec less = { .tv_nsec = nap->tv_nsec / 16 };

	return nanosleep(&less, left);
}

#define nanosleep short_nanosleep
#include "cow.h"
#include "../../utils/abusectl/backends/file.c"

#include <signal.h>
#include <sys/wait.h>

#define SIZE	65536
#define PAIRS	16

static char link_path[64];

struct served {
	const struct backend *backend;
	void *store;
};

static bool serve(struct served *served, const struct backend *backend, const char *args,
		  struct target target)
{
	struct abuse_params params = { 0 };

	target.params = &params;
	served->backend = backend;
	return !backend->open(&target, args, &served->store);
}

static void end(struct served *served)
{
	served->backend->close(served->store, false);
}

static bool is_served(const struct backend *backend, const char *args, struct target target)
{
	struct served served;

	if (!serve(&served, backend, args, target))
		return false;
	end(&served);
	return true;
}

#define FILE_OF(n, ...)	is_served(&backend_file, link_path, (struct target){ .number = n, ##__VA_ARGS__ })

static void between(const char *cow)
{
	struct served served, second;
	char other[160];

	must(serve(&served, &backend_file, cow_base, (struct target){ .number = 1 }), "served");
	ok(FILE_OF(1), "another server of the device joins");
	ok(!FILE_OF(0), "another device does not");
	ok(!FILE_OF(2, .read_only = true), "not even to read it");
	ok(!FILE_OF(ABUSE_MAX_NUMBER), "whatever its number");
	ok(!is_served(&backend_cow, cow, (struct target){ .number = 2 }), "nor as BASE");
	ok(FILE_OF(2, .is_forced = true), "but if it is forced");
	must(serve(&second, &backend_file, cow_base, (struct target){ .number = 1 }), "two");
	end(&served);
	ok(!FILE_OF(0), "while one is left");
	end(&second);
	ok(FILE_OF(0), "and none is");

	must(serve(&served, &backend_file, cow_base,
		   (struct target){ .number = 1, .read_only = true }), "read");
	ok(FILE_OF(2, .read_only = true), "another device reads it");
	ok(is_served(&backend_cow, cow, (struct target){ .number = 3 }), "and has it as BASE");
	ok(!FILE_OF(2), "none writes");
	end(&served);

	must(serve(&served, &backend_cow, cow, (struct target){ .number = 3 }), "a cow: disk");
	ok(!is_served(&backend_cow, cow, (struct target){ .number = 4 }), "one DELTA, one device");
	snprintf(other, sizeof(other), "%s:%s-2", cow_base, cow_delta);
	ok(is_served(&backend_cow, other, (struct target){ .number = 4 }), "a BASE has many");
	unlink(strchr(other, ':') + 1);
	ok(!is_served(&backend_file, cow_delta, (struct target){ .number = 5 }), "DELTA is no file:");
	ok(!FILE_OF(5), "BASE is not written");
	end(&served);
}

static void killed(void)
{
	struct served served;
	int ready[2];
	char byte;
	pid_t child;

	must(!pipe(ready), "a pipe");
	child = fork();
	if (!child) {
		byte = (char)serve(&served, &backend_file, cow_base, (struct target){ .number = 1 });
		_exit(write(ready[1], &byte, 1) != 1 || pause());
	}
	must(read(ready[0], &byte, 1) == 1 && byte, "a server of its own");
	ok(!FILE_OF(2), "its file is its device's");
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	ok(FILE_OF(2), "and free when it was killed");
}

/* Serves once @begin is closed, says whether it could, and goes on until @over is closed. */
static void try_it(const char *path, unsigned int number, int begin[2], int over[2], int tell)
{
	struct served served;
	char byte;

	close(begin[1]);
	close(over[1]);
	if (read(begin[0], &byte, 1))
		_exit(1);
	byte = (char)serve(&served, &backend_file, path, (struct target){ .number = number });
	_exit(write(tell, &byte, 1) != 1 || read(over[0], &byte, 1));
}

static void at_once(void)
{
	unsigned int both = 0, none = 0, i;
	int begin[2], over[2], told[PAIRS][2];
	char path[64], bytes[2];

	must(!pipe(begin) && !pipe(over), "pipes");
	for (i = 0; i < 2 * PAIRS; i++) {
		snprintf(path, sizeof(path), "%s/pair-%u", cow_dir, i / 2);
		if (i % 2 == 0) {
			close(open(path, O_WRONLY | O_CREAT, 0600));
			must(!truncate(path, SIZE) && !pipe(told[i / 2]), "a store of two devices");
		}
		if (!fork())
			try_it(path, i % 2, begin, over, told[i / 2][1]);
	}
	close(begin[1]);
	for (i = 0; i < PAIRS; i++) {
		must(read(told[i][0], bytes, 1) == 1 && read(told[i][0], bytes + 1, 1) == 1, "told");
		both += bytes[0] && bytes[1];
		none += !bytes[0] && !bytes[1];
	}
	is(both, 0, "never both");
	ok(none < PAIRS, "nor always none: %u of %d", none, PAIRS);
	close(over[1]);
	while (wait(NULL) > 0)
		;
	for (i = 0; i < PAIRS; i++) {
		snprintf(path, sizeof(path), "%s/pair-%u", cow_dir, i);
		unlink(path);
	}
}

int main(void)
{
	static char bytes[SIZE];
	char cow[160];

	cow_begin(bytes, sizeof(bytes));
	chmod(cow_base, 0600);
	snprintf(link_path, sizeof(link_path), "%s/link", cow_dir);
	snprintf(cow, sizeof(cow), "%s:%s", cow_base, cow_delta);
	must(!symlink(cow_base, link_path), "another name");
	between(cow);
	killed();
	at_once();
	unlink(link_path);
	return done();
}
