/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * Shared by the C tests of the driver: a device of their own, its calls, I/O on its
 * disk that may block for long, a server in memory, waiting for conditions.
 *
 * Calls return 0 (or a count) or -errno. Conditions that a test needs but does not
 * prove go through need(), which ends the program. A program's devices are
 * reset and removed when it exits, and shortly before its time is over if it hangs.
 * Children that a test forks end with _exit().
 */
#ifndef TESTS_ABUSE_H
#define TESTS_ABUSE_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <linux/abuse.h>
#include <linux/fs.h>
#include "test.h"

#define DEADLINE_SECONDS	25	/* of one condition; emulation is slow */

#define KIB			1024ULL
#define MIB			(1024 * KIB)
#define MSEC			1000000LL	/* nanoseconds */
#define SEC			1000000000LL
#define FOR_EVER		-1LL
#define NO_WAIT			0LL

#ifndef POLLMSG
#define POLLMSG			0x0400
#endif

/* An address as the interface wants it; a 32-bit compiler would extend its sign. */
#define ADDR(p)			((uint64_t)(uintptr_t)(p))

/* ---- waiting, time, fatal errors ---------------------------------------- */

static inline double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

static inline void nap_ms(unsigned int ms)
{
	struct timespec ts = { ms / 1000, ms % 1000 * 1000000L };

	while (nanosleep(&ts, &ts) && errno == EINTR)
		;
}

/* True as soon as cond is, false if it is not within that many seconds. */
#define wait_for_within(seconds, cond) ({				\
	double end_ = now() + (seconds);				\
	bool met_;							\
	while (!(met_ = (cond)) && now() < end_)			\
		nap_ms(2);						\
	met_; })
#define wait_for(cond)	wait_for_within(stretched(DEADLINE_SECONDS), cond)

/* A condition that the test needs to go on, though it does not prove it. */
#define need(cond, ...) do {						\
	if (!(cond)) {							\
		int errno_ = errno;					\
		char what_[256];					\
		snprintf(what_, sizeof(what_), __VA_ARGS__);		\
		errno = errno_;						\
		ok(false, "needed: %s", what_);				\
		fflush(stdout);						\
		if (getpid() != test_main_pid)				\
			_exit(1);					\
		exit(1);						\
	}								\
} while (0)

static pid_t test_main_pid;

/* Runs a shell command; its exit status. */
static inline int shell(const char *format, ...)
{
	char command[512];
	va_list args;
	int status;

	va_start(args, format);
	vsnprintf(command, sizeof(command), format, args);
	va_end(args);
	fflush(stdout);
	status = system(command);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

/* ---- devices --------------------------------------------------------------- */

struct device {
	unsigned int number;
	char node[40];		/* /dev/abctlN */
	char disk[40];		/* /dev/abuseN */
};

#define TEST_MAX_DEVICES	300
static _Atomic int *test_devices;	/* number + 1, to be removed; children's too */

/* ioctl that says -errno. Not restarted: EINTR is for the caller to see. */
static inline int call(int fd, unsigned long cmd, void *arg)
{
	int ret = ioctl(fd, cmd, arg);

	return ret < 0 ? -errno : ret;
}

static inline int call_value(int fd, unsigned long cmd, unsigned long value)
{
	int ret = ioctl(fd, cmd, value);

	return ret < 0 ? -errno : ret;
}

static inline int control_call(unsigned long cmd, void *arg)
{
	int fd = open("/dev/abuse-control", O_RDWR | O_CLOEXEC);
	int ret;

	if (fd < 0)
		return -errno;
	ret = call(fd, cmd, arg);
	close(fd);
	return ret;
}

/* Entries of a directory that are not hidden; 0 if there is no such directory. */
static inline int count_entries(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	int n = 0;

	while (dir && (entry = readdir(dir)))
		n += entry->d_name[0] != '.';
	if (dir)
		closedir(dir);
	return n;
}

static inline int count_devices(void)
{
	return count_entries("/sys/class/abuse");
}

static inline int device_get_free(void)
{
	return control_call(ABUSE_CTL_GET_FREE, NULL);
}

static inline struct device device_of(unsigned int number)
{
	struct device d = { .number = number };

	snprintf(d.node, sizeof(d.node), "/dev/abctl%u", number);
	snprintf(d.disk, sizeof(d.disk), "/dev/abuse%u", number);
	return d;
}

/* One try; EBUSY as long as anything has the disk open. */
static inline int device_remove_once(unsigned int number)
{
	int ret = control_call(ABUSE_CTL_REMOVE, (void *)(uintptr_t)number);

	for (int i = 0; !ret && i < TEST_MAX_DEVICES; i++)
		if (test_devices[i] == (int)number + 1)
			test_devices[i] = 0;
	return ret;
}

/* Tries again while something else, a udev worker say, has the disk open. */
static inline int device_remove(unsigned int number)
{
	int ret = 0;

	wait_for((ret = device_remove_once(number)) != -EBUSY);
	/* A test that means it to be busy tries once. */
	if (ret == -EBUSY)
		shell("bash \"$TESTS/common/openers\" %u", number);
	return ret;
}

static inline void test_clean_up(void)
{
	if (getpid() != test_main_pid)
		return;
	for (int i = 0; i < TEST_MAX_DEVICES; i++) {
		struct device d;
		int fd;

		if (!test_devices[i])
			continue;
		d = device_of(test_devices[i] - 1);
		fd = open(d.node, O_RDWR | O_CLOEXEC);
		if (fd >= 0) {
			ioctl(fd, ABUSE_RESET, 0);
			close(fd);
		}
		wait_for_within(5, device_remove_once(d.number) != -EBUSY);
		test_devices[i] = 0;
	}
}

/* The harness has lost its patience. */
static inline void test_terminated(int number)
{
	(void)number;
	test_clean_up();
	_exit(1);
}

/* Seconds that the runner gives the test; without one, what it gives by default. */
static inline unsigned int test_seconds(void)
{
	const char *text = getenv("TEST_SECONDS");

	return text && atoi(text) > 0 ? (unsigned int)atoi(text) : stretched(60);
}

static inline void *test_watchdog(void *unused)
{
	unsigned int seconds = test_seconds() - 5;

	(void)unused;
	nap_ms(seconds * 1000);
	printf("not ok - the program hung for %u seconds\n", seconds);
	fflush(stdout);
	test_clean_up();
	_exit(1);
}

/* First call of every test: loads the module unless it is there. */
static inline void test_begin(void)
{
	pthread_t thread;

	test_main_pid = getpid();
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (geteuid())
		skip("needs root");
	if (access("/sys/module/abuse", F_OK) && system("modprobe abuse"))
		fail("modprobe abuse failed; the kernel log says why");
	test_devices = mmap(NULL, TEST_MAX_DEVICES * sizeof(*test_devices),
			    PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			    -1, 0);
	if (test_devices == MAP_FAILED)
		fail("no memory");
	atexit(test_clean_up);
	signal(SIGTERM, test_terminated);
	if (!pthread_create(&thread, NULL, test_watchdog, NULL))
		pthread_detach(thread);
}

/* Adds as asked; add->number says which it became. 0, a descriptor or -errno. */
static inline int device_add(struct abuse_add *add)
{
	int ret = control_call(ABUSE_CTL_ADD, add);

	for (int i = 0; ret >= 0 && i < TEST_MAX_DEVICES; i++) {
		int unused = 0;

		if (atomic_compare_exchange_strong(&test_devices[i], &unused,
						   (int)add->number + 1))
			break;
	}
	return ret;
}

/* A device of the test's own, with so many requests in each hardware queue. */
static inline struct device device_new_depth(unsigned int hw_queues,
					     unsigned int depth)
{
	struct abuse_add add = {
		.size = sizeof(add), .number = ABUSE_NUMBER_ANY,
		.hw_queues = hw_queues, .depth = depth,
	};
	struct device d;
	int ret = device_add(&add);

	errno = -ret;
	need(!ret, "a device of its own through /dev/abuse-control");
	d = device_of(add.number);
	need(wait_for(!access(d.node, F_OK) && !access(d.disk, F_OK)),
	     "the nodes %s and %s", d.node, d.disk);
	return d;
}

static inline struct device device_new(void)
{
	return device_new_depth(0, 0);
}

/* A new descriptor of the control node. */
static inline int server_open(const struct device *d)
{
	int fd = open(d->node, O_RDWR | O_CLOEXEC);

	need(fd >= 0, "open %s", d->node);
	return fd;
}

static inline int disk_open(const struct device *d, int flags)
{
	int fd = open(d->disk, flags | O_CLOEXEC);

	need(fd >= 0, "open %s", d->disk);
	return fd;
}

/* The text of an attribute of /sys/class/abuse/abctlN, "" if it has none. */
static inline const char *attribute(const struct device *d, const char *name)
{
	static _Thread_local char text[256];
	char path[128];
	ssize_t n = 0;
	int fd;

	snprintf(path, sizeof(path), "/sys/class/abuse/abctl%u/%s", d->number,
		 name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		n = read(fd, text, sizeof(text) - 1);
		close(fd);
	}
	text[n > 0 ? n : 0] = 0;
	text[strcspn(text, "\n")] = 0;
	return text;
}

static inline long long attribute_number(const struct device *d,
					 const char *name)
{
	const char *text = attribute(d, name);

	return *text ? strtoll(text, NULL, 0) : -1;
}

/* Writes to an attribute; 0 or -errno. */
static inline int attribute_write(const struct device *d, const char *name, const char *text)
{
	char path[128];
	int fd, ret = 0;

	snprintf(path, sizeof(path), "/sys/class/abuse/abctl%u/%s", d->number,
		 name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		ret = -errno;
	close(fd);
	return ret;
}

/* Lets root open the disk of a user, until it is reset. */
static inline void device_admit(const struct device *d)
{
	errno = -attribute_write(d, "admitted", "1");
	need(!errno, "root to be admitted to %s", d->disk);
}

/* Lets any user open a node, after udev has had its say on it. */
static inline void node_for_all(const char *path)
{
	if (shell("udevadm settle --timeout=%u 2>/dev/null", stretched(20)))
		nap_ms(500);
	need(!chmod(path, 0666), "chmod of %s", path);
}

static inline uint64_t disk_size(const struct device *d)
{
	int fd = disk_open(d, O_RDONLY);
	uint64_t size = 0;

	need(!ioctl(fd, BLKGETSIZE64, &size), "size of %s", d->disk);
	close(fd);
	return size;
}

/* ---- set-up and status ------------------------------------------------------ */

static inline int get_status(int fd, struct abuse_info *info)
{
	return call(fd, ABUSE_GET_STATUS, info);
}

static inline int set_status(int fd, struct abuse_info *info)
{
	return call(fd, ABUSE_SET_STATUS, info);
}

static inline int reset(int fd)
{
	return call(fd, ABUSE_RESET, NULL);
}

static inline int set_poll(int fd, unsigned long mode)
{
	return call_value(fd, ABUSE_SET_POLL, mode);
}

/* Params of so many bytes, all else at its default. */
static inline struct abuse_params params_of(uint64_t capacity)
{
	struct abuse_params p;

	memset(&p, 0, sizeof(p));
	p.size = sizeof(p);
	p.capacity = capacity;
	return p;
}

static inline int set_params(int fd, struct abuse_params *p)
{
	return call(fd, ABUSE_SET_PARAMS, p);
}

static inline int get_params(int fd, struct abuse_params *p)
{
	memset(p, 0, sizeof(*p));
	p->size = sizeof(*p);
	return call(fd, ABUSE_GET_PARAMS, p);
}

/* Sets the device up as p says; the test ends if that is refused. */
static inline void set_up_as(const struct device *d, struct abuse_params *p)
{
	int fd = server_open(d);
	int ret = set_params(fd, p);

	errno = -ret;
	need(!ret, "SET_PARAMS of %s", d->node);
	close(fd);
}

/* 512-byte blocks, features of ABUSE_F_*. */
static inline void set_up(const struct device *d, uint64_t capacity,
			  uint64_t features)
{
	struct abuse_params p = params_of(capacity);

	p.features = features;
	set_up_as(d, &p);
}

/* The same as a 2009 program does it. */
static inline void set_up_2009(const struct device *d, uint64_t size,
			       unsigned int block, unsigned int limit)
{
	struct abuse_info info;
	int fd = server_open(d);
	int ret;

	memset(&info, 0, sizeof(info));
	info.ab_size = size;
	info.ab_blocksize = block;
	info.ab_max_queue = limit;
	ret = set_status(fd, &info);
	errno = -ret;
	need(!ret, "SET_STATUS of %s", d->node);
	close(fd);
}

/* ---- the kernel ---------------------------------------------------------------- */

/* Whether it is of that version or later, by its name: Enterprise Linux has more than its name says. */
static inline bool kernel_is_from(unsigned int major, unsigned int minor)
{
	unsigned int have_major, have_minor;
	struct utsname name;

	need(!uname(&name) && sscanf(name.release, "%u.%u", &have_major, &have_minor) == 2, "the kernel's version");
	return have_major > major || (have_major == major && have_minor >= minor);
}

/* ---- exchange ------------------------------------------------------------------ */

static inline struct abuse_exchange exchange_new(void)
{
	struct abuse_exchange x;

	memset(&x, 0, sizeof(x));
	x.size = sizeof(x);
	x.reply_size = sizeof(struct abuse_reply);
	x.request_size = sizeof(struct abuse_request);
	return x;
}

static inline int exchange(int fd, struct abuse_exchange *x)
{
	return call(fd, ABUSE_EXCHANGE, x);
}

/* Both ways at once. Count of requests or -errno; statuses are in replies. */
static inline int exchange_both(int fd, struct abuse_reply *replies,
				unsigned int nr_replies,
				struct abuse_request *requests,
				unsigned int max, void *buffer,
				uint64_t buffer_size, int64_t wait)
{
	struct abuse_exchange x = exchange_new();
	int ret;

	x.replies = ADDR(replies);
	x.nr_replies = nr_replies;
	x.requests = ADDR(requests);
	x.max_requests = max;
	x.buffer = ADDR(buffer);
	x.buffer_size = buffer_size;
	x.wait = wait;
	ret = exchange(fd, &x);
	return ret ? ret : (int)x.nr_requests;
}

/* How many requests came, or -errno. Payloads of writes go to buffer. */
static inline int fetch(int fd, struct abuse_request *requests,
			unsigned int max, void *buffer, uint64_t buffer_size,
			int64_t wait)
{
	return exchange_both(fd, NULL, 0, requests, max, buffer, buffer_size,
			     wait);
}

/* Fetches exactly one within the deadline; the test ends if none comes. */
static inline struct abuse_request fetch_one(int fd, void *buffer,
					     uint64_t buffer_size)
{
	struct abuse_request r;
	int n = fetch(fd, &r, 1, buffer, buffer_size, stretched(DEADLINE_SECONDS) * SEC);

	errno = n < 0 ? -n : 0;
	need(n == 1, "a request to arrive (got %d)", n);
	return r;
}

/* Exactly n requests, whatever number of calls it takes. */
static inline void fetch_all(int fd, struct abuse_request *requests,
			     unsigned int n, void *buffer, uint64_t buffer_size)
{
	for (unsigned int got = 0; got < n; ) {
		int ret = fetch(fd, requests + got, n - got, buffer,
				buffer_size, stretched(DEADLINE_SECONDS) * SEC);

		errno = ret < 0 ? -ret : 0;
		need(ret > 0, "request %u of %u to arrive", got + 1, n);
		got += ret;
	}
}

/* One reply: its status (0, ESTALE ..), or -errno of the call. */
static inline int reply_with(int fd, uint64_t id, uint32_t result,
			     uint32_t flags, const void *payload)
{
	struct abuse_reply r;
	int ret;

	memset(&r, 0, sizeof(r));
	r.id = id;
	r.address = ADDR(payload);
	r.result = result;
	r.flags = flags;
	r.status = 0xdead;
	ret = exchange_both(fd, &r, 1, NULL, 0, NULL, 0, NO_WAIT);
	return ret < 0 ? ret : (int)r.status;
}

static inline int reply(int fd, uint64_t id, uint32_t result,
			const void *payload)
{
	return reply_with(fd, id, result, 0, payload);
}

/* ---- GET_BIO and PUT_BIO --------------------------------------------------------- */

struct bio {
	struct abuse_xfr_hdr hdr;
	struct abuse_vec vecs[256];
};

static inline int get_bio(int fd, struct bio *bio)
{
	memset(bio, 0, sizeof(*bio));
	bio->hdr.ab_transfer_address = ADDR(bio->vecs);
	return call(fd, ABUSE_GET_BIO, &bio->hdr);
}

/* The oldest request once there is one; the test ends if none comes. */
static inline void get_bio_wait(int fd, struct bio *bio)
{
	int ret = 0;

	wait_for((ret = get_bio(fd, bio)) != -ENOMSG);
	errno = -ret;
	need(!ret, "GET_BIO of a request");
}

static inline uint64_t bio_length(const struct bio *bio)
{
	uint64_t length = 0;

	for (unsigned int i = 0; i < bio->hdr.ab_vec_count; i++)
		length += bio->vecs[i].ab_len;
	return length;
}

/* Lets the vecs lie one after the other in memory. */
static inline void bio_point(struct bio *bio, void *memory)
{
	char *at = memory;

	for (unsigned int i = 0; i < bio->hdr.ab_vec_count; i++) {
		bio->vecs[i].ab_address = ADDR(at);
		at += bio->vecs[i].ab_len;
	}
}

static inline int put_bio(int fd, struct bio *bio, uint32_t result)
{
	bio->hdr.ab_result = result;
	bio->hdr.ab_transfer_address = ADDR(bio->vecs);
	return call(fd, ABUSE_PUT_BIO, &bio->hdr);
}

/* ---- memory -------------------------------------------------------------------------- */

static inline void *memory_new(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	need(p != MAP_FAILED, "%zu bytes of memory", size);
	return p;
}

/* Page-aligned, size bytes, of which only the first good may be touched. */
static inline void *memory_faulting(size_t good, size_t size)
{
	char *p = memory_new(size);

	need(!(good % 4096) && !mprotect(p + good, size - good, PROT_NONE),
	     "memory that faults after %zu bytes", good);
	return p;
}

static inline void memory_mend(void *p, size_t size)
{
	need(!mprotect(p, size, PROT_READ | PROT_WRITE), "mprotect");
}

/* Bytes that differ by place and seed. */
static inline unsigned char pattern_byte(size_t i, unsigned int seed)
{
	return (i ^ (i >> 9) * 7 ^ seed * 31) & 0xff;
}

static inline void pattern_fill(void *p, size_t n, unsigned int seed)
{
	for (size_t i = 0; i < n; i++)
		((unsigned char *)p)[i] = pattern_byte(i, seed);
}

static inline bool pattern_is(const void *p, size_t n, unsigned int seed)
{
	for (size_t i = 0; i < n; i++)
		if (((const unsigned char *)p)[i] != pattern_byte(i, seed))
			return false;
	return true;
}

static inline bool bytes_are(const void *p, size_t n, unsigned char byte)
{
	for (size_t i = 0; i < n; i++)
		if (((const unsigned char *)p)[i] != byte)
			return false;
	return true;
}

/* ---- children ---------------------------------------------------------------------------- */

static inline void close_all_above_2(void)
{
	if (syscall(436 /* close_range */, 3U, ~0U, 0U))
		for (int fd = 3; fd < 1024; fd++)
			close(fd);
}

/* Runs fn in a forked child, which ends with its value as exit status. */
static inline pid_t child_start(int (*fn)(void *), void *arg)
{
	pid_t pid;

	fflush(stdout);
	pid = fork();
	need(pid >= 0, "fork");
	if (!pid) {
		int ret = fn(arg);

		fflush(stdout);
		_exit(ret);
	}
	return pid;
}

/* Exit status, 256 + signal, or -1 if it does not end within the deadline. */
static inline int child_wait(pid_t pid)
{
	int status;

	if (!wait_for(waitpid(pid, &status, WNOHANG) == pid))
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 256 + WTERMSIG(status);
}

/* True: a second later it has not ended. It stays to be waited for. */
static inline bool child_runs_on(pid_t pid)
{
	siginfo_t info = { 0 };

	return !wait_for_within(1, waitid(P_PID, pid, &info, WEXITED | WNOHANG | WNOWAIT) ||
				   info.si_pid == pid);
}

struct run_as {
	uid_t uid;
	int (*fn)(void *);
	void *arg;
};

static inline int run_as_child(void *arg)
{
	const struct run_as *as = arg;

	if (syscall(SYS_setgroups, 0, NULL) || setgid(as->uid) ||
	    setuid(as->uid))
		return 255;
	return as->fn(as->arg);
}

/* fn in a child that is an ordinary user; its exit status. */
static inline int run_as(uid_t uid, int (*fn)(void *), void *arg)
{
	struct run_as as = { uid, fn, arg };

	return child_wait(child_start(run_as_child, &as));
}

/* True while a task of this process, or of pid, is in that state (R S D T Z). */
static inline bool task_is(pid_t tid, char state)
{
	char path[64], text[256] = "", *p;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	if (read(fd, text, sizeof(text) - 1) < 0)
		text[0] = 0;
	close(fd);
	p = strrchr(text, ')');
	return p && p[1] == ' ' && p[2] == state;
}

/* This thread, and what it starts from then on, runs on that processor alone. */
static inline int pin(unsigned int cpu)
{
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(cpu, &cpus);
	return sched_setaffinity(0, sizeof(cpus), &cpus);
}

/* ---- I/O on the disk that may block --------------------------------------------------------- */

enum io_op { IO_READ, IO_WRITE, IO_FSYNC, IO_DISCARD, IO_ZEROOUT, IO_PUNCH };

/* One system call on /dev/abuseN in a thread or process of its own. */
struct io {
	enum io_op op;
	struct device device;
	uint64_t offset;
	size_t length;
	unsigned char *data;	/* shared, page-aligned, length bytes */
	int open_flags;		/* O_DIRECT unless changed by io_prepare's user */
	int pwrite_flags;	/* RWF_DSYNC makes the kernel use FUA */
	pthread_t thread;
	pid_t pid;		/* of the child, 0 = thread */
	_Atomic pid_t tid;
	_Atomic int error;	/* once done: 0 or errno; EPROTO = short */
	_Atomic bool done;
};

static inline int io_do(struct io *io)
{
	uint64_t range[2] = { io->offset, io->length };
	struct iovec { void *base; size_t length; } iov = { io->data, io->length };
	ssize_t n = 0;
	int fd, error = 0;

	fd = open(io->device.disk, io->open_flags | O_CLOEXEC);
	if (fd < 0)
		return errno;
	switch (io->op) {
	case IO_READ:
		n = pread(fd, io->data, io->length, io->offset);
		break;
	case IO_WRITE:
		if (!io->pwrite_flags)
			n = pwrite(fd, io->data, io->length, io->offset);
		else
			n = syscall(SYS_pwritev2, fd, &iov, 1,
				    (unsigned long)io->offset,
				    (unsigned long)(sizeof(long) == 4 ?
						    io->offset >> 32 : 0),
				    io->pwrite_flags);
		break;
	case IO_FSYNC:
		n = fsync(fd) ? -1 : (ssize_t)io->length;
		break;
	case IO_DISCARD:
		n = ioctl(fd, BLKDISCARD, range) ? -1 : (ssize_t)io->length;
		break;
	case IO_ZEROOUT:
		n = ioctl(fd, BLKZEROOUT, range) ? -1 : (ssize_t)io->length;
		break;
	case IO_PUNCH:		/* zeroes, and no kernel writes them if the device fails to */
		n = fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, io->offset,
			      io->length) ? -1 : (ssize_t)io->length;
		break;
	}
	if (n < 0)
		error = errno;
	else if ((size_t)n != io->length)
		error = EPROTO;		/* short */
	close(fd);
	return error;
}

static inline void *io_main(void *arg)
{
	struct io *io = arg;

	io->tid = syscall(SYS_gettid);
	io->error = io_do(io);
	io->done = true;
	return NULL;
}

static inline int io_child(void *arg)
{
	close_all_above_2();
	io_main(arg);
	return 0;
}

/* Fill in more (data, flags), then io_go() or io_go_child(). */
static inline struct io *io_prepare(const struct device *d, enum io_op op,
				    uint64_t offset, size_t length)
{
	struct io *io = memory_new(sizeof(*io));

	io->op = op;
	io->device = *d;
	io->offset = offset;
	io->length = length;
	io->open_flags = O_RDWR | O_DIRECT;
	if (op == IO_READ)
		io->open_flags = O_RDONLY | O_DIRECT;
	if (length && (op == IO_READ || op == IO_WRITE))
		io->data = memory_new(length);
	return io;
}

static inline struct io *io_go(struct io *io)
{
	pthread_attr_t attr;
	int ret;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 64 * 1024);
	ret = pthread_create(&io->thread, &attr, io_main, io);
	pthread_attr_destroy(&attr);
	errno = ret;
	need(!ret, "a thread");
	return io;
}

/* In a process of its own, which has none of our descriptors. */
static inline struct io *io_go_child(struct io *io)
{
	io->pid = child_start(io_child, io);
	return io;
}

static inline struct io *io_start(const struct device *d, enum io_op op,
				  uint64_t offset, size_t length)
{
	return io_go(io_prepare(d, op, offset, length));
}

/* Writes pattern seed. */
static inline struct io *io_write(const struct device *d, uint64_t offset,
				  size_t length, unsigned int seed)
{
	struct io *io = io_prepare(d, IO_WRITE, offset, length);

	pattern_fill(io->data, length, seed);
	return io_go(io);
}

static inline struct io *io_read(const struct device *d, uint64_t offset,
				 size_t length)
{
	return io_start(d, IO_READ, offset, length);
}

/* Waits for its end: 0 or the errno it got, -1 if it has not ended in time. */
static inline int io_wait(struct io *io)
{
	return wait_for(io->done) ? io->error : -1;
}

/* After its end; one that has not ended is left alone. */
static inline void io_free(struct io *io)
{
	if (!io->done)
		return;
	if (io->pid)
		waitpid(io->pid, NULL, 0);
	else
		pthread_join(io->thread, NULL);
	if (io->data)
		munmap(io->data, io->length);
	munmap(io, sizeof(*io));
}

/* Both. */
static inline int io_end(struct io *io)
{
	int error = io_wait(io);

	io_free(io);
	return error;
}

/* ---- a server in memory ------------------------------------------------------------------------ */

#define RAM_BATCH		32
#define RAM_BUFFER		(8 * MIB)

/* Serves from store until told to stop. Counters are by ABUSE_OP_*. */
struct ram {
	int fd;
	unsigned char *store;
	uint64_t size;
	void *buffer;
	pthread_t thread;
	_Atomic bool stop;
	_Atomic unsigned long served[5];
	_Atomic unsigned long fua;
	_Atomic int error;		/* -errno that ended the loop */
};

static inline uint32_t ram_answer(struct ram *ram,
				  const struct abuse_request *q,
				  struct abuse_reply *a)
{
	uint64_t at = q->sector * 512;

	memset(a, 0, sizeof(*a));
	a->id = q->id;
	if (q->op != ABUSE_OP_FLUSH &&
	    (at > ram->size || q->length > ram->size - at))
		return a->result = EIO;
	switch (q->op) {
	case ABUSE_OP_READ:
		a->address = ADDR(ram->store + at);
		break;
	case ABUSE_OP_WRITE:
		memcpy(ram->store + at, (char *)ram->buffer + q->offset,
		       q->length);
		break;
	case ABUSE_OP_DISCARD:
	case ABUSE_OP_WRITE_ZEROES:
		memset(ram->store + at, 0, q->length);
		break;
	}
	if (q->op <= ABUSE_OP_WRITE_ZEROES)
		ram->served[q->op]++;
	if (q->flags & ABUSE_REQ_FUA)
		ram->fua++;
	return 0;
}

/* The loop itself; also for a child, with a descriptor of its own. */
static inline int ram_serve(struct ram *ram)
{
	struct abuse_request requests[RAM_BATCH];
	struct abuse_reply replies[RAM_BATCH];
	int n = 0, got;
	bool last;

	/* The last call only answers: writers that never pause would keep it here. */
	do {
		last = ram->stop;
		got = exchange_both(ram->fd, replies, n, requests,
				    last ? 0 : RAM_BATCH, ram->buffer,
				    RAM_BUFFER, 50 * MSEC);
		if (got == -EINTR)
			continue;
		if (got < 0)
			return ram->error = got;
		for (n = 0; n < got; n++)
			ram_answer(ram, &requests[n], &replies[n]);
	} while (n || !last);
	return 0;
}

static inline void *ram_main(void *arg)
{
	ram_serve(arg);
	return NULL;
}

/* A server thread; store is size bytes of the caller's. */
static inline struct ram *ram_start(const struct device *d, void *store,
				    uint64_t size)
{
	struct ram *ram = memory_new(sizeof(*ram));

	ram->fd = server_open(d);
	ram->store = store;
	ram->size = size;
	ram->buffer = memory_new(RAM_BUFFER);
	need(!pthread_create(&ram->thread, NULL, ram_main, ram), "a thread");
	return ram;
}

/* Answers what it has, then ends. */
static inline void ram_stop(struct ram *ram)
{
	ram->stop = true;
	pthread_join(ram->thread, NULL);
	close(ram->fd);
	munmap(ram->buffer, RAM_BUFFER);
	munmap(ram, sizeof(*ram));
}

/* ---- the module --------------------------------------------------------------------------------- */

static inline void module_restore(void)
{
	if (getpid() == test_main_pid)
		shell("udevadm settle; modprobe -r abuse; modprobe abuse");
}

/* Unloads the module and loads it with these parameters, as of printf; 0 or modprobe's status.
 * At exit it is loaded again without any.
 */
__attribute__((format(printf, 1, 2)))
static inline int module_reload(const char *format, ...)
{
	static bool registered;
	char parameters[128];
	va_list args;

	va_start(args, format);
	vsnprintf(parameters, sizeof(parameters), format, args);
	va_end(args);

	if (!registered) {
		registered = true;
		atexit(module_restore);
		atexit(test_clean_up);
	}
	need(wait_for(!shell("modprobe -r abuse")), "the module to unload");
	return shell("modprobe abuse %s", parameters);
}

#endif /* TESTS_ABUSE_H */
