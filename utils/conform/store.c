// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (C) 2026 the abuse authors
/*
 * A disk for the store of the server under test, with a volatile write cache. It knows what a power cut would leave, fails
 * reads or writes when told, and can have a file system. A process of its own serves it, from memory that this one sees.
 */
#include "conform.h"

#include <errno.h>
#include <fcntl.h>
#include <libabuse.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CAPACITY	(64ULL << 20)
#define PIECE		4096

/* The server of the store sees it, too. */
struct shared {
	bool is_off;			/* the power: writes go nowhere */
	bool fails_reads, fails_writes;
	bool is_dirty[CAPACITY / PIECE];	/* now other than durable */
};

static struct {
	bool is_there, is_mounted;
	unsigned int number;
	int node;
	pid_t server;
	struct shared *shared;
	char *now, *durable;
	char disk[32], folder[32];
} store = { .node = -1 };

/* ---- its server: one thread, so that callbacks run one after another ---- */

static bool is_set(const bool *flag)
{
	return __atomic_load_n(flag, __ATOMIC_SEQ_CST);
}

static void change(const struct abuse_req *req, const void *bytes)
{
	uint64_t at;

	if (bytes)
		memcpy(store.now + req->offset, bytes, req->length);
	else
		memset(store.now + req->offset, 0, req->length);
	for (at = req->offset / PIECE; at * PIECE < req->offset + req->length; at++)
		store.shared->is_dirty[at] = true;
}

static int store_read(struct abuse_req *req)
{
	if (is_set(&store.shared->fails_reads))
		return -EIO;
	memcpy(req->data, store.now + req->offset, req->length);
	return 0;
}

static int store_write(struct abuse_req *req)
{
	if (is_set(&store.shared->fails_writes))
		return -EIO;
	if (!is_set(&store.shared->is_off))
		change(req, req->data);
	return 0;
}

static int store_zero(struct abuse_req *req)
{
	if (is_set(&store.shared->fails_writes))
		return -EIO;
	if (!is_set(&store.shared->is_off))
		change(req, NULL);
	return 0;
}

/* Copies what is dirty. */
static void settle(char *to, const char *from)
{
	uint64_t at;

	for (at = 0; at < CAPACITY / PIECE; at++)
		if (store.shared->is_dirty[at])
			memcpy(to + at * PIECE, from + at * PIECE, PIECE);
	memset(store.shared->is_dirty, 0, sizeof(store.shared->is_dirty));
}

static int store_flush(struct abuse_req *req)
{
	(void)req;
	if (is_set(&store.shared->fails_writes))
		return -EIO;
	if (!is_set(&store.shared->is_off))
		settle(store.durable, store.now);
	return 0;
}

static int serve(void)
{
	static const struct abuse_ops ops = {
		.pread = store_read, .pwrite = store_write, .flush = store_flush,
		.trim = store_zero, .zero = store_zero,
	};
	struct abuse_params params = { .capacity = CAPACITY };
	struct abuse_config config = {
		.ops = &ops, .device = store.disk, .params = &params, .flags = ABUSE_SERVER_NO_LOCK,
	};
	struct abuse_server *srv;
	int ret;

	signal(SIGINT, SIG_IGN);	/* it ends with the server under test */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	ret = abuse_server_open(&srv, &config);
	if (ret) {
		fprintf(stderr, "abuse-conform: %s: %s\n", store.disk, abuse_reason());
		return 1;
	}
	abuse_server_run(srv);
	abuse_server_free(srv);
	return 0;
}

static int start(const struct subject *subject)
{
	const struct subject its = { .number = store.number, .seconds = subject->seconds };

	store.server = fork();
	if (!store.server)
		_exit(serve());
	return store.server < 0 ? -errno : server_await_ready(&its, store.server);
}

/* ---- its file system ---- */

static int attach(void)
{
	if (!*store.folder)
		return 0;
	if (mount(store.disk, store.folder, "ext4", 0, NULL))
		return -errno;
	store.is_mounted = true;
	return 0;
}

/* Files of a server that was killed may be closed a moment later. */
static int detach(const struct subject *subject)
{
	unsigned long i;

	for (i = 0; store.is_mounted && i < subject->seconds * 200UL; i++) {
		if (!umount2(store.folder, 0))
			store.is_mounted = false;
		else
			nanosleep(&(struct timespec){ .tv_nsec = 5000000 }, NULL);
	}
	return store.is_mounted ? -EBUSY : 0;
}

static int make_file_system(void)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		dup2(STDERR_FILENO, STDOUT_FILENO);
		execlp("mkfs.ext4", "mkfs.ext4", "-q", store.disk, (char *)NULL);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -errno;
	return status ? -EIO : 0;
}

static int make_folder(void)
{
	int ret = make_file_system();

	if (ret)
		return ret;
	strcpy(store.folder, "/tmp/abuse-conform-XXXXXX");
	if (!mkdtemp(store.folder)) {
		*store.folder = 0;
		return -errno;
	}
	return attach();
}

/* ---- for the run ---- */

static void *shared_memory(size_t size)
{
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return at == MAP_FAILED ? NULL : at;
}

int store_begin(const struct subject *subject, bool has_folder)
{
	int ret = device_make(&store.number, &store.node);

	if (ret)
		return ret;
	store.is_there = true;
	snprintf(store.disk, sizeof(store.disk), "/dev/abuse%u", store.number);
	store.shared = shared_memory(sizeof(*store.shared));
	store.now = shared_memory(CAPACITY);
	store.durable = shared_memory(CAPACITY);
	if (!store.shared || !store.now || !store.durable)
		return -ENOMEM;
	ret = start(subject);
	return ret || !has_folder ? ret : make_folder();
}

bool store_is_there(void)
{
	return store.is_there;
}

const char *store_disk(void)
{
	return store.disk;
}

const char *store_folder(void)
{
	return store.folder;
}

void store_power_off(void)
{
	__atomic_store_n(&store.shared->is_off, true, __ATOMIC_SEQ_CST);
}

void store_fail(bool reads, bool writes)
{
	__atomic_store_n(&store.shared->fails_reads, reads, __ATOMIC_SEQ_CST);
	__atomic_store_n(&store.shared->fails_writes, writes, __ATOMIC_SEQ_CST);
}

void store_forget_cache(void)
{
	int fd = open(store.is_mounted ? "/proc/sys/vm/drop_caches" : store.disk, store.is_mounted ? O_WRONLY : O_RDONLY);

	if (fd < 0)
		return;
	/* Dirty pages stay: the caller has flushed. */
	if (!store.is_mounted)
		posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	else if (write(fd, "1", 1) != 1)
		fputs("abuse-conform: the page cache stays\n", stderr);
	close(fd);
}

/* A new set-up is a new medium, so that no cached page of the former one stays. */
int store_restart(const struct subject *subject)
{
	int ret = detach(subject), status;

	if (!ret)
		ret = abuse_ctl_reset(store.node);
	if (ret)
		return ret;
	if (server_await_end(subject, store.server, &status))
		server_kill(store.server);
	if (is_set(&store.shared->is_off))
		settle(store.now, store.durable);
	store_fail(false, false);
	__atomic_store_n(&store.shared->is_off, false, __ATOMIC_SEQ_CST);
	ret = start(subject);
	return ret ? ret : attach();
}

void store_end(void)
{
	if (store.is_mounted && umount2(store.folder, 0))
		umount2(store.folder, MNT_DETACH);
	store.is_mounted = false;
	if (*store.folder)
		rmdir(store.folder);
	server_kill(store.server);
	if (store.is_there)
		device_drop(store.number, store.node);
}
