/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * Processes of root and two users issue calls of every kind on the nodes of eight devices, with
 * arguments mutated from right ones, from memory that faults, blocks or goes; they pass
 * descriptors on, fork, lock, poll and are killed, while the disks are opened, scanned and written
 * to: a ninth device keeps every byte meanwhile and fails no request, every process can be
 * killed, and each device can be reset and removed in the end.
 *
 * FUZZ_SEED is the seed (default: the time; it is printed), RACE_SECONDS how long it goes on. To
 * the file FUZZ_TALLY a line is appended: seed, seconds, calls, kills. FUZZ_FAULTS=PERMILLE, on a kernel with
 * fault injection: so many of these processes' allocations, copies and bios fail, and none of the others.
 */
/* Kernels before 6.0 warn of writes to a disk that was made read-only meanwhile. */
/* allow-log: generic_make_request_checks|submit_bio_checks */
/* timeout: 150 */
/* needs: /usr/include/liburing.h:liburing-dev */
/* cflags: -luring */
#include "race.h"
#include <grp.h>
#include <liburing.h>
#include <linux/blkpg.h>
#include <linux/hdreg.h>
#include <linux/userfaultfd.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/socket.h>

#define DEVICES		8
#define GOOD		8		/* the device whose bytes must stay */
#define CALLERS		6		/* two of each user */
#define THREADS		2
#define FDS		12
#define ARENA		(1 * MIB)
#define REGIONS		5
#define NR_CALLS	64		/* by number: 0x20 to 0x3f, and others */

static const uid_t users[] = { 0, 4242, 4243 };

static struct tally {
	_Atomic unsigned long taken[NR_CALLS], refused[NR_CALLS], other, kills, passed, blocked, freed;
	_Atomic uint64_t ids[64];	/* of requests that were handed out, to anyone */
	_Atomic bool is_over;
} *tally;

static int post[2];			/* descriptors pass from anyone to anyone */
static struct ram *good_server;

/* ---- random numbers -------------------------------------------------------------- */

static _Thread_local uint64_t state;

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

#define one_of(...) ({							\
	uint64_t of_[] = { __VA_ARGS__ };				\
	of_[below(sizeof(of_) / sizeof(of_[0]))]; })

static uint64_t odd_value(void)
{
	uint64_t near = one_of(0, 8, 512, 4096, 65536, MIB, 1ULL << 31, 1ULL << 32, 1ULL << 40,
			       1ULL << 62, 1ULL << 63);

	return near + one_of(0, 0, 0, 1, -1ULL, 8, -8ULL);
}

/* ---- memory: of one process --------------------------------------------------------- */

static char *regions[REGIONS];		/* plain, read-only, blocking, a file that shrinks, a disk */
static int shrinking = -1;

static uint64_t address(void)
{
	char *region = regions[below(4) ? 0 : below(REGIONS)];

	if (!below(12))
		return odd_value();
	return ADDR(region) + (below(ARENA) & -one_of(1, 8, 512, 4096, 4096));
}

/* Fills pages in that are missing: soon, late, or never. */
static void *fill_main(void *arg)
{
	int fd = (int)(intptr_t)arg;
	struct uffd_msg message;

	while (read(fd, &message, sizeof(message)) == sizeof(message)) {
		struct uffdio_zeropage zero = {
			.range = { message.arg.pagefault.address & ~4095ULL, 4096 },
		};

		tally->blocked++;
		state = message.arg.pagefault.address + tally->blocked;
		if (!below(4))
			continue;
		nap_ms(below(20));
		ioctl(fd, UFFDIO_ZEROPAGE, &zero);
	}
	return NULL;
}

static void make_blocking(char *region)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register range = {
		.range = { ADDR(region), ARENA }, .mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC);
	pthread_t thread;

	if (fd < 0 || ioctl(fd, UFFDIO_API, &api) || ioctl(fd, UFFDIO_REGISTER, &range))
		return;
	if (!pthread_create(&thread, NULL, fill_main, (void *)(intptr_t)fd))
		pthread_detach(thread);
}

static bool make_memory(void)
{
	int disk = open(device_of(below(DEVICES)).disk, O_RDWR | O_CLOEXEC | O_NONBLOCK);

	shrinking = memfd_create("shrinking", MFD_CLOEXEC);
	if (shrinking < 0 || ftruncate(shrinking, ARENA))
		return false;
	for (int i = 0; i < REGIONS; i++) {
		int fd = i == 3 ? shrinking : i == 4 ? disk : -1;
		char *at = mmap(NULL, 2 * ARENA, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (at == MAP_FAILED)
			return false;
		regions[i] = mmap(at, ARENA, i == 1 ? PROT_READ : PROT_READ | PROT_WRITE,
				  MAP_FIXED | (fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED),
				  fd, 0);
		if (regions[i] == MAP_FAILED)
			regions[i] = at;
	}
	make_blocking(regions[2]);
	return true;
}

/* ---- arguments: right ones, mutated -------------------------------------------------- */

static void mutate(void *p, size_t size)
{
	uint64_t how = below(4);
	size_t at;

	if (how < 2)
		return;
	for (how = 1 + below(3); how--; ) {
		at = below(size / 4) * 4;
		switch (below(4)) {
		case 0:
			*(uint32_t *)((char *)p + at) ^= 1U << below(32);
			break;
		case 1:
			*(uint32_t *)((char *)p + at) = odd_value();
			break;
		case 2:
			at &= ~7UL;
			if (at + 8 <= size)
				*(uint64_t *)((char *)p + at) = below(2) ? address() :
								odd_value();
			break;
		case 3:
			at &= ~7UL;
			if (at + 8 <= size)
				*(uint64_t *)((char *)p + at) = tally->ids[below(64)];
			break;
		}
	}
}

/* The argument lies in memory of any kind: stored there without a fault of ours. */
static void *place(const void *p, size_t size)
{
	char *region = regions[below(6) ? 0 : below(REGIONS)];
	char *at = region + (below(8) ? below(ARENA / 4096) * 4096 : below(ARENA));
	struct iovec { const void *base; size_t length; } from = { p, size }, to = { at, size };

	if (region == regions[2])
		return at;		/* as it is: zeroes, once it is filled in */
	syscall(SYS_process_vm_writev, getpid(), &from, 1UL, &to, 1UL, 0UL);
	return at;
}

static void issue(int fd, unsigned long cmd, const void *p, size_t size)
{
	unsigned int nr = (cmd & 0xff) - 0x20 < NR_CALLS ? (cmd & 0xff) - 0x20 : NR_CALLS - 1;

	if (ioctl(fd, cmd, place(p, size)) < 0)
		tally->refused[nr]++;
	else
		tally->taken[nr]++;
}

static void issue_value(int fd, unsigned long cmd, unsigned long value)
{
	unsigned int nr = (cmd & 0xff) - 0x20;

	if (ioctl(fd, cmd, value) < 0)
		tally->refused[nr]++;
	else
		tally->taken[nr]++;
}

/* ---- calls ----------------------------------------------------------------------------- */

static void do_exchange(int fd)
{
	struct abuse_exchange x = exchange_new(), got;
	struct abuse_reply replies[8];
	struct abuse_request requests[8];
	char *at;
	int ret;

	memset(replies, 0, sizeof(replies));
	for (int i = 0; i < 8; i++) {
		replies[i].id = tally->ids[below(64)];
		replies[i].address = address();
		replies[i].result = one_of(0, 0, 0, EIO, ENOSPC, EOPNOTSUPP, EILSEQ);
		replies[i].flags = one_of(0, 0, ABUSE_REPLY_ZERO, ABUSE_REPLY_STORE,
					  ABUSE_REPLY_REDIRECT);
		mutate(&replies[i], sizeof(replies[i]));
	}
	x.replies = ADDR(place(replies, sizeof(replies)));
	x.nr_replies = below(9);
	at = below(4) ? regions[0] + below(ARENA / 8192) * 4096 : (char *)(uintptr_t)address();
	x.requests = ADDR(at);
	x.max_requests = below(9);
	x.buffer = address() & ~4095ULL;
	x.buffer_size = one_of(0, ARENA, ARENA / 2, 4096, MIB);
	x.wait = below(3) ? 0 : below(5 * MSEC);
	x.spin = below(4) ? 0 : below(MSEC);
	mutate(&x, sizeof(x));
	if (x.wait < 0 || x.wait > 50 * MSEC)
		x.wait = MSEC;
	memcpy(regions[0] + ARENA - 4096, &x, sizeof(x));
	ret = below(4) ? ioctl(fd, ABUSE_EXCHANGE, regions[0] + ARENA - 4096) :
			 ioctl(fd, ABUSE_EXCHANGE, place(&x, sizeof(x)));
	if (ret < 0)
		tally->refused[ABUSE_EXCHANGE & 0x1f]++;
	else
		tally->taken[ABUSE_EXCHANGE & 0x1f]++;
	memcpy(&got, regions[0] + ARENA - 4096, sizeof(got));
	if (ret || x.request_size != sizeof(requests[0]) || at < regions[0] ||
	    at + sizeof(requests) > regions[0] + ARENA)
		return;
	memcpy(requests, at, sizeof(requests));
	for (unsigned int i = 0; i < got.nr_requests && i < 8; i++)
		tally->ids[below(64)] = requests[i].id;
}

static void do_params(int fd)
{
	struct abuse_params p = params_of(one_of(RACE_SIZE, RACE_SIZE, MIB, 2 * RACE_SIZE, 4096));

	if (below(2)) {
		mutate(&p, sizeof(p));
		issue(fd, ABUSE_GET_PARAMS, &p, sizeof(p));
		return;
	}
	p.flags = one_of(0, 0, 0, 0, ABUSE_PARAMS_READ_ONLY, ABUSE_PARAMS_SEALED);
	p.seal_uid = one_of(0, 4242);
	p.features = below(3) ? ABUSE_F_WRITE_CACHE | ABUSE_F_DISCARD | ABUSE_F_WRITE_ZEROES :
				below(256);
	p.logical_block_size = one_of(0, 512, 512, 4096);
	p.queue_limit = one_of(0, 0, 1, 8, 128);
	p.timeout = one_of(0, 0, 10 * MSEC, 300 * MSEC, SEC);
	mutate(&p, sizeof(p));
	issue(fd, ABUSE_SET_PARAMS, &p, sizeof(p));
}

static void do_2009(int fd)
{
	struct abuse_info info = {
		.ab_size = RACE_SIZE, .ab_blocksize = one_of(512, 4096), .ab_max_queue = 128,
		.ab_flags = below(4),
	};
	struct bio *bio = (void *)(regions[0] + below(16) * sizeof(struct bio));

	switch (below(5)) {
	case 0:
		mutate(&info, sizeof(info));
		issue(fd, ABUSE_SET_STATUS, &info, sizeof(info));
		break;
	case 1:
		issue(fd, ABUSE_GET_STATUS, &info, sizeof(info));
		break;
	case 2:
		issue_value(fd, ABUSE_SET_POLL, one_of(0, 1, 2, ~0ULL));
		break;
	default:
		memset(&bio->hdr, 0, sizeof(bio->hdr));
		bio->hdr.ab_transfer_address = below(8) ? ADDR(bio->vecs) : address();
		if (ioctl(fd, ABUSE_GET_BIO, &bio->hdr))
			break;
		for (int i = 0; i < 256; i++)
			bio->vecs[i].ab_address = address();
		bio->hdr.ab_result = one_of(0, 0, 0, 1, 1, 2, 9);
		mutate(&bio->hdr, sizeof(bio->hdr));
		tally->taken[ABUSE_GET_BIO & 0x1f]++;
		issue(fd, ABUSE_PUT_BIO, &bio->hdr, sizeof(bio->hdr));
	}
}

static void do_files(int fd, int other)
{
	struct abuse_file file = { .size = sizeof(file), .fd = one_of(other, other, shrinking, fd) };

	if (below(3)) {
		mutate(&file, sizeof(file));
		issue(fd, ABUSE_REGISTER_FILE, &file, sizeof(file));
	} else {
		issue_value(fd, ABUSE_UNREGISTER_FILE, one_of(below(8), 255, 256, ~0ULL));
	}
}

/* Ranges side by side: to a file that this process keeps, of which some are taken away. */
static void do_map(int fd)
{
	struct abuse_file file = { .size = sizeof(file), .fd = shrinking };
	struct abuse_map map = {
		.size = sizeof(map), .entry_size = sizeof(struct abuse_map_entry),
		.nr = 1 + below(8), .sector = below(RACE_SIZE / 512),
	};
	uint64_t share = RACE_SIZE / 512 / map.nr / 8 * 8;
	struct abuse_map_entry entries[8];

	memset(entries, 0, sizeof(entries));
	for (unsigned int i = 0; i < map.nr; i++) {
		entries[i].sectors = 8 * (1 + below(share / 16));
		entries[i].sector = i * share + 8 * below((share - entries[i].sectors) / 8);
		if (!below(4)) {
			entries[i].flags = ABUSE_MAP_CLEAR;
			entries[i].rights = 1 + below(7);
			continue;
		}
		entries[i].sectors = entries[i].sectors < ARENA / 512 ? entries[i].sectors : ARENA / 512;
		entries[i].offset = 512 * below(ARENA / 512 - entries[i].sectors + 1);
		entries[i].file = below(4) ? 0 : below(4);
		entries[i].rights = one_of(ABUSE_MAP_READ, ABUSE_MAP_READ | ABUSE_MAP_WRITE, 1 + below(7));
	}
	if (!below(4))
		mutate(&entries[below(map.nr)], sizeof(entries[0]));
	map.entries = ADDR(place(entries, sizeof(entries)));
	mutate(&map, sizeof(map));
	if (below(8) && !ftruncate(shrinking, ARENA))
		issue(fd, ABUSE_REGISTER_FILE, &file, sizeof(file));
	issue(fd, below(4) ? ABUSE_MAP : ABUSE_GET_MAP, &map, sizeof(map));
}

/* Of a struct that is not known here, or none: sizes, flags, pointers, counts. */
static void do_raw(int fd)
{
	uint64_t words[32];

	for (int i = 0; i < 32; i++)
		words[i] = one_of(0, 0, below(16), address(), odd_value(), tally->ids[below(64)]);
	words[0] = (uint32_t)one_of(8 * (1 + below(32)), 4096, odd_value());
	issue(fd, _IOC(one_of(0, 0, 0, below(4)), 'A', one_of(0x20 + below(16), 0x2b, 0x2c, below(256)),
		       below(8) ? 0 : below(256)), words, sizeof(words));
}

static void do_control(int fd)
{
	struct abuse_add add = {
		.size = sizeof(add), .number = one_of(below(DEVICES), ABUSE_NUMBER_ANY),
		.hw_queues = one_of(0, 1, 4), .depth = one_of(0, 4, 64),
		.flags = below(3) ? 0 : ABUSE_ADD_OWNER, .owner = one_of(0, 4242, 4243),
	};

	switch (below(4)) {
	case 0:
		issue_value(fd, ABUSE_CTL_REMOVE, below(DEVICES));
		break;
	case 1:
		issue_value(fd, ABUSE_CTL_GET_FREE, 0);
		break;
	default:
		mutate(&add, sizeof(add));
		if (add.number == GOOD)
			add.number = 0;
		issue(fd, ABUSE_CTL_ADD, &add, sizeof(add));
	}
}

/* ---- descriptors ------------------------------------------------------------------------ */

struct pool {
	int fds[FDS];		/* nodes, disks, /dev/abuse-control, as they came */
};

static int open_any(void)
{
	struct device d = device_of(below(DEVICES));
	int flags = one_of(O_RDWR, O_RDWR, O_RDONLY, O_WRONLY) | O_CLOEXEC | O_NONBLOCK;

	switch (below(8)) {
	case 0:
		return open("/dev/abuse-control", flags);
	case 1:
		return open(d.disk, flags | (below(2) ? O_DIRECT : 0));
	default:
		return open(d.node, flags);
	}
}

static void pass_on(int fd)
{
	char byte = 'x', room[CMSG_SPACE(sizeof(int))] = { 0 };
	struct { void *base; size_t length; } data = { &byte, 1 };
	struct msghdr message = {
		.msg_iov = (void *)&data, .msg_iovlen = 1, .msg_control = room,
		.msg_controllen = sizeof(room),
	};
	struct cmsghdr *head = CMSG_FIRSTHDR(&message);

	*head = (struct cmsghdr){
		.cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS,
	};
	memcpy(CMSG_DATA(head), &fd, sizeof(fd));
	if (sendmsg(post[0], &message, MSG_DONTWAIT) == 1)
		tally->passed++;
}

static int take_in(void)
{
	char byte, room[CMSG_SPACE(sizeof(int))];
	struct { void *base; size_t length; } data = { &byte, 1 };
	struct msghdr message = {
		.msg_iov = (void *)&data, .msg_iovlen = 1, .msg_control = room,
		.msg_controllen = sizeof(room),
	};
	struct cmsghdr *head;
	int fd = -1;

	if (recvmsg(post[1], &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) != 1)
		return -1;
	head = CMSG_FIRSTHDR(&message);
	if (head && head->cmsg_type == SCM_RIGHTS)
		memcpy(&fd, CMSG_DATA(head), sizeof(fd));
	return fd;
}

static void replace(struct pool *pool, int fd)
{
	int *slot = &pool->fds[below(FDS)], old = *slot;

	if (fd < 0)
		return;
	*slot = fd;
	if (old >= 0)
		close(old);
}

static void one_call(struct pool *pool, bool may_fork);

static void do_descriptors(struct pool *pool, int fd, bool may_fork)
{
	struct pollfd polled = { .fd = fd, .events = POLLMSG | POLLIN | POLLOUT };
	struct flock lock = {
		.l_type = one_of(F_RDLCK, F_WRLCK, F_UNLCK), .l_start = below(1000), .l_len = below(10),
	};
	pid_t pid;

	tally->other++;
	switch (below(12)) {
	case 0: case 1: case 2:
		replace(pool, open_any());
		break;
	case 3:
		replace(pool, dup(fd));
		break;
	case 4:
		pass_on(fd);
		break;
	case 5:
		replace(pool, take_in());
		break;
	case 6:
		flock(fd, one_of(LOCK_EX, LOCK_SH, LOCK_UN) | LOCK_NB);
		fcntl(fd, 37 /* F_OFD_SETLK */, &lock);
		break;
	case 7:
		poll(&polled, 1, below(3));
		break;
	case 8:
		ftruncate(shrinking, below(3) ? ARENA : below(ARENA));
		madvise(regions[2], ARENA, MADV_DONTNEED);
		break;
	case 9:
		/* A child that shares the descriptors, in another address space. */
		pid = may_fork ? fork() : -1;
		if (!pid) {
			for (int i = 0; i < 20; i++)
				one_call(pool, false);
			_exit(0);
		}
		break;
	case 10:
		pread(fd, regions[0], 4096, below(64) * 4096);
		break;
	case 11:
		if (mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED)
			tally->other++;
		break;
	}
}

static void do_sysfs(void)
{
	static const char *const names[] = {
		"state", "servers", "queued", "oldest_ms", "store", "admitted", "ready", "owner",
		"held", "returned",
	};
	struct device d = device_of(below(DEVICES));

	attribute(&d, names[below(10)]);
	if (!below(8))
		attribute_write(&d, "admitted", below(2) ? "1" : "0");
	tally->other++;
}

static void one_call(struct pool *pool, bool may_fork)
{
	int fd = pool->fds[below(FDS)], other = pool->fds[below(FDS)];

	switch (below(23)) {
	case 0: case 1: case 2: case 3: case 4: case 5: case 6:
		do_exchange(fd);
		break;
	case 7: case 8:
		do_params(fd);
		break;
	case 9: case 10:
		do_2009(fd);
		break;
	case 11: case 12:
		do_files(fd, other);
		break;
	case 13:
		do_raw(fd);
		break;
	case 14:
		do_control(fd);
		break;
	case 15:
		if (!below(8))
			issue_value(fd, ABUSE_RESET, 0);
		break;
	case 16:
		do_sysfs();
		break;
	case 17: case 18: case 19:
		do_map(fd);
		break;
	default:
		do_descriptors(pool, fd, may_fork);
	}
}

/* ---- faults of the kernel: of these processes alone ------------------------------------------ */

static unsigned int faults_permille(void)
{
	return getenv("FUZZ_FAULTS") ? strtoul(getenv("FUZZ_FAULTS"), NULL, 10) : 0;
}

/* One in `interval` times `probability` percent. */
static void faults_begin(void)
{
	static const char *const kinds[] = {
		"failslab", "fail_page_alloc", "fail_usercopy", "fail_make_request",
	};

	if (!faults_permille())
		return;
	shell("mountpoint -q /sys/kernel/debug || mount -t debugfs none /sys/kernel/debug");
	for (unsigned int i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		need(!shell("cd /sys/kernel/debug/%s && echo 0 >verbose && echo Y >task-filter && "
			    "echo -1 >times && echo 10 >interval && echo %u >probability && "
			    "for f in ignore-gfp-wait ignore-gfp-highmem min-order; do "
			    "[ ! -e $f ] || echo 0 >$f; done", kinds[i], faults_permille()),
		     "a kernel that injects faults");
	for (unsigned int i = 0; i < DEVICES; i++)
		shell("echo 1 >/sys/block/abuse%u/make-it-fail", i);
}

static void faults_are_mine(void)
{
	int fd = faults_permille() ? open("/proc/self/make-it-fail", O_WRONLY | O_CLOEXEC) : -1;

	if (fd >= 0) {
		need(write(fd, "1", 1) == 1, "faults");
		close(fd);
	}
}

/* ---- processes ---------------------------------------------------------------------------- */

struct caller {
	struct pool *pool;
	uint64_t seed;
};

static void *calls_main(void *arg)
{
	struct caller *caller = arg;

	for (state = caller->seed; ; )
		one_call(caller->pool, true);
	return NULL;
}

static int caller_main(void *arg)
{
	uint64_t seed = (uintptr_t)arg;
	uid_t uid = users[seed % 3];
	struct caller callers[THREADS];
	struct rlimit limit = { 64, 64 };
	static struct pool pool;
	pthread_t thread;

	state = seed;
	signal(SIGCHLD, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	setrlimit(RLIMIT_NPROC, &(struct rlimit){ 400, 400 });
	setrlimit(RLIMIT_NOFILE, &limit);
	faults_are_mine();
	while (setgroups(0, NULL) || setgid(uid) || setuid(uid) || !make_memory())
		if (!faults_permille())
			return 2;
	for (int i = 0; i < FDS; i++)
		pool.fds[i] = open_any();
	for (int i = 0; i < THREADS; i++) {
		callers[i] = (struct caller){ &pool, seed * THREADS + i };
		while (i && pthread_create(&thread, NULL, calls_main, &callers[i]))
			if (!faults_permille())
				return 3;
	}
	calls_main(&callers[0]);
	return 0;
}

/* Half of the rings go before what they poll for has ended. */
static void poll_for(int fd, unsigned char *data, const uint64_t range[2])
{
	struct io_uring_cqe *cqe;
	struct io_uring_sqe *sqe;
	struct io_uring ring;

	if (io_uring_queue_init(2, &ring, IORING_SETUP_IOPOLL))
		return;
	sqe = io_uring_get_sqe(&ring);
	if (below(2))
		io_uring_prep_read(sqe, fd, data, range[1], range[0]);
	else
		io_uring_prep_write(sqe, fd, data, range[1], range[0]);
	if (io_uring_submit(&ring) == 1 && below(2))
		io_uring_wait_cqe(&ring, &cqe);
	io_uring_queue_exit(&ring);
}

/* The other side of the devices. */
static int issuer_main(void *arg)
{
	unsigned char *data = memory_new(64 * KIB);

	faults_are_mine();
	for (state = (uintptr_t)arg; !tally->is_over; ) {
		struct device d = device_of(below(DEVICES));
		int fd = open(d.disk, one_of(O_RDWR, O_RDONLY) | O_CLOEXEC | (below(3) ? O_DIRECT : 0));
		uint64_t range[2] = { below(128) * 4096, (1 + below(16)) * 4096 };
		struct blkpg_partition part = { .start = 65536, .length = 65536, .pno = 1 };
		struct blkpg_ioctl_arg page = {
			.op = one_of(BLKPG_ADD_PARTITION, BLKPG_DEL_PARTITION),
			.datalen = sizeof(part), .data = &part,
		};
		struct hd_geometry geometry;

		if (fd < 0) {
			nap_ms(2);
			continue;
		}
		switch (below(12)) {
		case 0: pread(fd, data, range[1], range[0]); break;
		case 1: case 2: pwrite(fd, data, range[1], range[0]); break;
		case 3: fsync(fd); break;
		case 4: ioctl(fd, BLKDISCARD, range); break;
		case 5: ioctl(fd, BLKZEROOUT, range); break;
		case 6: ioctl(fd, BLKRRPART); break;
		case 7: ioctl(fd, BLKPG, &page); break;
		case 8: ioctl(fd, BLKFLSBUF); break;
		case 9: ioctl(fd, HDIO_GETGEO, &geometry); break;
		case 10: ioctl(fd, 0x2285 /* SG_IO */, data); break;
		case 11: poll_for(fd, data, range); break;
		}
		close(fd);
		tally->other++;
	}
	return 0;
}

/* ---- the good device, and the run ------------------------------------------------------------ */

static void begin_good(struct race *r)
{
	struct abuse_params p = params_of(RACE_SIZE);

	p.flags = ABUSE_PARAMS_SEALED;
	p.timeout = -1;
	set_up_as(&r->d, &p);
	good_server = ram_start(&r->d, r->store, RACE_SIZE);
	race_writers(r);
}

static void write_tally(uint64_t seed, double seconds, unsigned long calls)
{
	const char *path = getenv("FUZZ_TALLY");
	FILE *file = path ? fopen(path, "a") : NULL;

	if (!file)
		return;
	fprintf(file, "%llu %.0f %lu %lu\n", (unsigned long long)seed, seconds, calls, tally->kills);
	fclose(file);
}

static void reset_all(unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++) {
		int fd = open(device_of(i).node, O_RDWR | O_CLOEXEC);
		int ret = fd < 0 ? 0 : reset(fd);

		if (ret && ret != -ENODEV)
			fail("RESET of device %u: %s", i, strerror(-ret));
		if (fd >= 0)
			close(fd);
	}
}

/*
 * True unless it ends by the signal. One that has written to a disk without a server, whose
 * requests it told to wait for ever, waits for these as it lets go of the disk: RESET frees it.
 */
static bool kill_one(pid_t pid)
{
	int status = 0;
	bool has_ended;

	kill(pid, SIGKILL);
	tally->kills++;
	has_ended = wait_for_within(3, waitpid(pid, &status, WNOHANG) == pid);
	if (!has_ended) {
		tally->freed++;
		reset_all(DEVICES);
		status = child_wait(pid);
		if (status == 256 + SIGKILL)
			return false;
	} else if (WIFSIGNALED(status)) {
		return false;
	}
	printf("# a process ended with %d\n", status);
	return true;
}

int main(void)
{
	const char *text = getenv("FUZZ_SEED");
	uint64_t seed = text ? strtoull(text, NULL, 0) : (uint64_t)time(NULL) % 1000000 * 1000, next;
	unsigned long calls = 0, bad = 0;
	pid_t pid[CALLERS], issuers[2];
	struct race *r;
	double begin;

	test_begin();
	need(!module_reload("max_abuse=9 user_timeout=2 unserved_timeout=2"), "the module");
	printf("# FUZZ_SEED=%llu\n", (unsigned long long)seed);
	if (system("sysctl -qw vm.unprivileged_userfaultfd=1 2>/dev/null"))
		printf("# no userfaultfd for users\n");
	tally = memory_new(sizeof(*tally));
	need(!socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, post), "sockets");
	node_for_all("/dev/abuse-control");	/* waits for udev, once for all */
	for (unsigned int i = 0; i < DEVICES; i++)
		need(!chmod(device_of(i).node, 0666), "%s for users", device_of(i).node);
	faults_begin();
	for (int i = 0; i < 2; i++)
		issuers[i] = child_start(issuer_main, (void *)(uintptr_t)(seed + 1000 + i));
	for (next = 0; next < CALLERS; next++)
		pid[next] = child_start(caller_main, (void *)(uintptr_t)(seed + next));
	r = race_new(device_of(GOOD), false);
	begin_good(r);

	state = seed;
	for (begin = now(); race_goes_on(r, begin, next); next++) {
		unsigned int i = below(CALLERS);

		nap_ms(20 + below(100));
		bad += kill_one(pid[i]);
		pid[i] = child_start(caller_main, (void *)(uintptr_t)(seed + next));
	}
	tally->is_over = true;
	for (unsigned int i = 0; i < CALLERS; i++)
		bad += kill_one(pid[i]);
	is(bad, 0, "processes that were not there to be killed, or could not be");
	close(post[0]);
	close(post[1]);
	for (int i = 0; i < NR_CALLS; i++)
		calls += tally->taken[i] + tally->refused[i];
	calls += tally->other;
	printf("# %lu calls, %lu kills, %lu of them freed by RESET, %lu descriptors passed, "
	       "%lu faults blocked\n", calls, tally->kills, tally->freed, tally->passed,
	       tally->blocked);
	for (int i = 0; i < 16; i++)
		printf("# 0x%x: taken %lu, refused %lu\n", 0x20 + i, tally->taken[i],
		       tally->refused[i]);
	reset_all(DEVICES);
	for (int i = 0; i < 2; i++)
		is(child_wait(issuers[i]), 0, "I/O ends");
	reset_all(DEVICES);
	for (unsigned int i = 0; i < DEVICES; i++)
		if (!access(device_of(i).node, F_OK))
			is(device_remove(i), 0, "REMOVE");
	ok(calls > 100, "%lu calls", calls);
	ok(tally->taken[ABUSE_MAP & 0x1f] > 0, "%lu maps were taken", tally->taken[ABUSE_MAP & 0x1f]);
	race_end(r, "killed", tally->kills + 20);
	ram_stop(good_server);
	reset_all(GOOD + 1);
	is(device_remove(GOOD), 0, "REMOVE of the device whose bytes stayed");
	write_tally(seed, now() - begin, calls);
	return done();
}
