/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * Processes of root and two users issue calls of every kind on the nodes of eight devices and of those that they add, with
 * arguments mutated from right ones, from memory that faults, blocks or goes; they pass descriptors on, fork, lock, poll and are
 * killed, while the disks are opened, scanned and written to and a file system on one more disk freezes and thaws: another device keeps
 * every byte meanwhile and fails no request, every process can be killed, and each device can be reset and removed in the end. A killed
 * process may sleep until RESET, but never in the module, and only for a disk that waits for ever: its time-out is "never", or
 * a killed process that sleeps likewise serves it (abuse(4)).
 */
/* Kernels before 6.0 warn of writes to a disk that was made read-only meanwhile. */
/* allow-log: generic_make_request_checks|submit_bio_checks */
/* timeout: 150 */
/* needs: /usr/include/liburing.h:liburing-dev */
/* cflags: -luring */
/*
 * FUZZ_SEED	 the seed (default: the time; it is printed)
 * RACE_SECONDS	 how long it goes on
 * FUZZ_TALLY	 a file that gets a line: seed, seconds, calls, kills, processes that RESET freed, calls of disks. Calls are the
 *		 ioctls, opens, polls and locks of nodes of the module.
 * FUZZ_FAULTS	 on a kernel with fault injection: so many in 1,000 of these processes' allocations, copies and bios fail, and
 *		 none of the others
 * FUZZ_CORPUS	 a file of seeds, used on any module. On one that counts its basic blocks (tests/campaign/checked) the steps that
 *		 reached new ones are kept as seeds, repeated with changes, and written to the file in the end.
 */
#include "race.h"
#include "fuse.h"
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
#define FROZEN		9		/* the one with a file system that freezes and thaws */
#define ADDED		10		/* the first that is not there at the begin */
#define ALL		13
#define FOLDER		"/tmp/frozen"
#define FROZEN_SIZE	(16 * MIB)
#define SLOW_FOLDER	"/tmp/slow"	/* on FUSE */
#define SLOW_THREADS	16
#define STEPS		8
#define SEEDS		2048
#define CALLERS		6		/* two of each user */
#define THREADS		2
#define FDS		12
#define ARENA		(1 * MIB)
#define REGIONS		6
#define REGIONS_AT	0x100000000000UL
#define NR_CALLS	64		/* by number: 0x20 to 0x3f, and others */

static const uid_t users[] = { 0, 4242, 4243 };

static struct tally {
	_Atomic unsigned long taken[NR_CALLS], refused[NR_CALLS];
	_Atomic unsigned long opens, polls, locks;	/* of nodes of the module, too */
	_Atomic unsigned long blocks, sysfs, strays;	/* I/O of disks; attributes; calls on other descriptors */
	_Atomic unsigned long kills, added, freezes, passed, blocked, slow, late, freed, bad;
	_Atomic uint64_t ids[64];	/* of requests that were handed out, to anyone */
	_Atomic bool is_over;
} *tally;

/* A thread stored bytes, or made a call. */
struct step {
	uint64_t value;			/* where; the argument */
	uint32_t cmd;			/* 0: stored */
	uint32_t size;
	unsigned char bytes[512];
};

/* A sequence after which more blocks of the module had run than before. */
struct seed {
	struct step step[STEPS];
};

static struct corpus {
	struct seed seed[SEEDS];
	_Atomic unsigned int nr;	/* and more, which took the place of others */
	_Atomic unsigned long reached;	/* blocks */
} *corpus;

static int coverage = -1;		/* how many blocks have run; -1: this module does not count them */
static int post[2];			/* descriptors pass from anyone to anyone */
static uint64_t next_seed;		/* of the next caller */
static pid_t pid[CALLERS];		/* 0: has ended */
static pid_t group;			/* the process group of callers and their children */
static struct ram *good_server, *frozen_server;

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

/* Of a device that callers may use. */
static unsigned int number_any(void)
{
	return below(3) ? ADDED + below(ALL - ADDED) : below(DEVICES);
}

/* ---- memory: of one process --------------------------------------------------------- */

static char *regions[REGIONS];		/* plain, read-only, blocking, a file that shrinks, a disk, FUSE */
static int shrinking = -1;
static int frozen = -1;			/* a file in FOLDER */
static int slow = -1;			/* this process's file on FUSE */
static char *slow_bytes;		/* of all such files */

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

/* Goes on where it failed the last time. */
static bool make_memory(void)
{
	static int disk = -1;
	char path[64];

	snprintf(path, sizeof(path), SLOW_FOLDER "/%d", (int)getpid());
	if (disk < 0)
		disk = open(device_of(below(DEVICES)).disk, O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (shrinking < 0)
		shrinking = memfd_create("shrinking", MFD_CLOEXEC);
	if (frozen < 0)
		frozen = open(FOLDER "/file", O_RDWR | O_CLOEXEC);
	if (shrinking < 0 || frozen < 0 || ftruncate(shrinking, ARENA))
		return false;
	if (slow < 0)
		slow = open(path, O_RDWR | O_CLOEXEC);
	for (int i = 0; i < REGIONS; i++) {
		int fd = i == 3 ? shrinking : i == 4 ? disk : i == 5 ? slow : -1;
		char *at;

		if (regions[i])
			continue;
		/* At the same address in each run: seeds have pointers. */
		at = mmap((void *)(REGIONS_AT + i * 4 * ARENA), 2 * ARENA, PROT_NONE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (at == MAP_FAILED)
			return false;
		regions[i] = mmap(at, ARENA, i == 1 ? PROT_READ : PROT_READ | PROT_WRITE,
				  MAP_FIXED | (fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS :
					       i == 5 ? MAP_PRIVATE : MAP_SHARED), fd, 0);
		if (regions[i] == MAP_FAILED)
			regions[i] = at;
	}
	make_blocking(regions[2]);
	return true;
}

/* FUSE: a page comes at once, late or never, which is an error. */
static void slow_read(const struct fuse_in_header *in, const struct fuse_read_in *asked)
{
	uint64_t how;

	state ^= in->unique;
	how = below(4);
	if (how < 2) {
		tally->slow++;
		nap_ms(below(how ? 300 : 20));
	}
	if (how == 2 || (how < 2 && !below(4)))
		fuse_answer(in, EIO, NULL, 0);
	else
		fuse_answer(in, 0, slow_bytes + asked->offset, asked->size);
}

static void slow_write(const struct fuse_in_header *in, const struct fuse_write_in *asked)
{
	struct fuse_write_out out = { .size = asked->size };

	memcpy(slow_bytes + asked->offset, asked + 1, asked->size);
	fuse_answer(in, 0, &out, sizeof(out));
}

/* A process of its own: the kernel waits for it, even on behalf of a process that was killed. */
static int slow_main(void *arg)
{
	pthread_t thread;

	close(post[0]);		/* descriptors on the way are closed with the callers */
	close(post[1]);
	for (int i = 1; i < SLOW_THREADS; i++)
		need(!pthread_create(&thread, NULL, fuse_main, NULL), "a thread");
	fuse_main(arg);
	return 0;
}

/* 0: no FUSE in this kernel. */
static pid_t slow_start(void)
{
	pid_t server;

	fuse = (struct fuse) {
		.folder = SLOW_FOLDER, .size = ARENA, .mode = 0666,
		.read = slow_read, .write = slow_write,
	};
	slow_bytes = memory_new(2 * ARENA);
	if (!fuse_mount(",allow_other"))
		return 0;
	server = child_start(slow_main, NULL);
	close(fuse_fd);
	return server;
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

/* ---- seeds: steps that reached new blocks of the module, repeated with changes ------------------- */

static _Thread_local struct seed recent;	/* steps in a ring */
static _Thread_local unsigned int nr_steps;

static void note(uint32_t cmd, uint64_t value, const void *p, size_t size)
{
	struct step *step = &recent.step[nr_steps % STEPS];

	if (coverage < 0)
		return;
	nr_steps++;
	step->cmd = cmd;
	step->value = value;
	step->size = size < sizeof(step->bytes) ? size : sizeof(step->bytes);
	memcpy(step->bytes, p, step->size);
}

static unsigned long count_reached(void)
{
	char text[24];
	ssize_t n = coverage < 0 ? 0 : pread(coverage, text, sizeof(text) - 1, 0);

	text[n > 0 ? n : 0] = 0;
	return strtoul(text, NULL, 10);
}

/* The thread that first sees more blocks than before keeps its last steps as a seed. */
static void keep_if_new(void)
{
	unsigned long was = corpus->reached, is = count_reached();
	unsigned int at;

	if (is <= was || !atomic_compare_exchange_strong(&corpus->reached, &was, is))
		return;
	at = corpus->nr++;
	at = at < SEEDS ? at : below(SEEDS);
	for (unsigned int i = 0; i < STEPS; i++)
		corpus->seed[at].step[i] = recent.step[(nr_steps + i) % STEPS];
}

/* ---- arguments in memory, and calls ---------------------------------------------------------- */

/* Stored there without a fault of ours. */
static void *place_at(char *at, const void *p, size_t size)
{
	struct iovec { const void *base; size_t length; } from = { p, size }, to = { at, size };

	note(0, ADDR(at), p, size);
	if (at - regions[2] < (long)ARENA && at >= regions[2])
		return at;		/* as it is: zeroes, once it is filled in */
	if (slow >= 0 && at - regions[5] < (long)ARENA && at >= regions[5]) {
		memcpy(slow_bytes + (at - regions[5]), p, size);
		madvise(at - ADDR(at) % 4096, 8192, MADV_DONTNEED);
		posix_fadvise(slow, (at - regions[5]) & -4096, 8192, POSIX_FADV_DONTNEED);
		return at;
	}
	syscall(SYS_process_vm_writev, getpid(), &from, 1UL, &to, 1UL, 0UL);
	return at;
}

/* In memory of any kind. */
static void *place(const void *p, size_t size)
{
	char *region = regions[below(6) ? 0 : below(REGIONS)];

	return place_at(region + (below(8) ? below(ARENA / 4096) * 4096 : below(ARENA)), p, size);
}

/* A node of the module. A pool also has disks and empty places. */
static bool is_node(int fd)
{
	struct stat st;

	return !fstat(fd, &st) && S_ISCHR(st.st_mode);
}

static int issue_value(int fd, unsigned long cmd, unsigned long value)
{
	unsigned int nr = (cmd & 0xff) - 0x20 < NR_CALLS ? (cmd & 0xff) - 0x20 : NR_CALLS - 1;
	bool counts = is_node(fd);
	int ret;

	note(cmd, value, NULL, 0);
	ret = ioctl(fd, cmd, value);
	if (!counts)
		tally->strays++;
	else if (ret < 0)
		tally->refused[nr]++;
	else
		tally->taken[nr]++;
	if (counts)
		keep_if_new();
	return ret;
}

static int issue(int fd, unsigned long cmd, const void *p, size_t size)
{
	return issue_value(fd, cmd, ADDR(place(p, size)));
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
	place_at(regions[0] + ARENA - 4096, &x, sizeof(x));
	ret = below(4) ? issue_value(fd, ABUSE_EXCHANGE, ADDR(regions[0] + ARENA - 4096)) :
			 issue(fd, ABUSE_EXCHANGE, &x, sizeof(x));
	memcpy(&got, regions[0] + ARENA - 4096, sizeof(got));
	if (ret || x.request_size != sizeof(requests[0]) || at < regions[0] ||
	    at + sizeof(requests) > regions[0] + ARENA)
		return;
	memcpy(requests, at, sizeof(requests));
	for (unsigned int i = 0; i < got.nr_requests && i < 8; i++)
		tally->ids[below(64)] = requests[i].id;
}

static struct abuse_params params_any(void)
{
	struct abuse_params p = params_of(one_of(RACE_SIZE, RACE_SIZE, MIB, 2 * RACE_SIZE, 4096));

	p.flags = one_of(0, 0, 0, 0, ABUSE_PARAMS_READ_ONLY, ABUSE_PARAMS_SEALED);
	p.seal_uid = one_of(0, 4242);
	p.features = below(3) ? ABUSE_F_WRITE_CACHE | ABUSE_F_DISCARD | ABUSE_F_WRITE_ZEROES :
				below(256);
	p.logical_block_size = one_of(0, 512, 512, 4096);
	p.queue_limit = one_of(0, 0, 1, 8, 128);
	p.timeout = one_of(0, 0, 10 * MSEC, 300 * MSEC, SEC);
	mutate(&p, sizeof(p));
	return p;
}

static void do_params(int fd)
{
	struct abuse_params p;

	if (below(2)) {
		p = params_of(0);
		mutate(&p, sizeof(p));
		issue(fd, ABUSE_GET_PARAMS, &p, sizeof(p));
	} else {
		p = params_any();
		issue(fd, ABUSE_SET_PARAMS, &p, sizeof(p));
	}
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
		if (issue_value(fd, ABUSE_GET_BIO, ADDR(&bio->hdr)))
			break;
		for (int i = 0; i < 256; i++)
			bio->vecs[i].ab_address = address();
		bio->hdr.ab_result = one_of(0, 0, 0, 1, 1, 2, 9);
		mutate(&bio->hdr, sizeof(bio->hdr));
		issue(fd, ABUSE_PUT_BIO, &bio->hdr, sizeof(bio->hdr));
	}
}

static void do_files(int fd, int other)
{
	struct abuse_file file = {
		.size = sizeof(file), .fd = one_of(other, other, shrinking, frozen, slow, fd),
	};

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
	struct abuse_file file = { .size = sizeof(file), .fd = one_of(shrinking, shrinking, frozen, slow) };
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
	unsigned long cmd;
	uint64_t words[32];
	int ret;

	for (int i = 0; i < 32; i++)
		words[i] = one_of(0, 0, below(16), address(), odd_value(), tally->ids[below(64)]);
	words[0] = (uint32_t)one_of(8 * (1 + below(32)), 4096, odd_value());
	cmd = _IOC(one_of(0, 0, 0, below(4)), 'A', one_of(0x20 + below(16), 0x2b, 0x2c, below(256)),
		   below(8) ? 0 : below(256));
	ret = issue(fd, cmd, words, sizeof(words));
	if (cmd == ABUSE_CTL_ADD && ret > 0)
		close(ret);
}

/* One of the seeds: its bytes are mutated, all else is as it was. */
static void do_seed(int fd)
{
	unsigned int nr = corpus->nr < SEEDS ? corpus->nr : SEEDS;
	struct seed seed;

	if (!nr)
		return;
	seed = corpus->seed[below(nr)];
	for (struct step *step = seed.step; step < seed.step + STEPS; step++) {
		size_t wait = offsetof(struct abuse_exchange, wait);
		int64_t was;

		if (step->cmd) {
			int ret = issue_value(fd, step->cmd, step->value);

			if (step->cmd == ABUSE_CTL_ADD && ret > 0)
				close(ret);
		} else if (step->size >= 8) {
			memcpy(&was, step->bytes + wait, sizeof(was));
			mutate(step->bytes, step->size);
			if (step->size == sizeof(struct abuse_exchange))	/* not for ever */
				memcpy(step->bytes + wait, &was, sizeof(was));
			place_at((char *)(uintptr_t)step->value, step->bytes, step->size);
		}
	}
}

/* ---- descriptors ------------------------------------------------------------------------ */

struct pool {
	int fds[FDS];		/* nodes, disks, /dev/abuse-control, as they came */
};

static int open_any(void)
{
	struct device d = device_of(below(6) ? (unsigned int)below(DEVICES) : number_any());
	int flags = one_of(O_RDWR, O_RDWR, O_RDONLY, O_WRONLY) | O_CLOEXEC | O_NONBLOCK;

	switch (below(8)) {
	case 0:
		tally->opens++;
		return open("/dev/abuse-control", flags);
	case 1:
		tally->blocks++;
		return open(d.disk, flags | (below(2) ? O_DIRECT : 0));
	default:
		tally->opens++;
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

/* Set up at once or not. The descriptor is this process's, somebody's, or nobody's. */
static void do_add(struct pool *pool, int fd)
{
	struct abuse_params p = params_any();
	struct abuse_add add = {
		.size = sizeof(add), .number = one_of(number_any(), ABUSE_NUMBER_ANY),
		.hw_queues = one_of(0, 1, 4), .depth = one_of(0, 4, 64),
		.flags = (below(3) ? 0 : ABUSE_ADD_OWNER) | (below(3) ? ABUSE_ADD_OPEN : 0),
		.owner = one_of(0, 4242, 4243),
		.params = below(3) ? ADDR(place(&p, sizeof(p))) : 0,
	};

	mutate(&add, sizeof(add));
	fd = issue(fd, ABUSE_CTL_ADD, &add, sizeof(add));
	if (fd <= 0)
		return;
	tally->added++;
	switch (below(4)) {
	case 0:
		pass_on(fd);
		close(fd);
		break;
	case 1:
		close(fd);
		break;
	default:
		replace(pool, fd);
	}
}

static void do_control(struct pool *pool, int fd)
{
	int control = below(4) ? open("/dev/abuse-control", O_RDWR | O_CLOEXEC) : -1;

	fd = control < 0 ? fd : control;
	switch (below(6)) {
	case 0: case 1:
		issue_value(fd, ABUSE_CTL_REMOVE, number_any());
		break;
	case 2:
		issue_value(fd, ABUSE_CTL_GET_FREE, 0);
		break;
	default:
		do_add(pool, fd);
	}
	if (control >= 0)
		close(control);
}

static void one_call(struct pool *pool, bool may_fork);

static void do_descriptors(struct pool *pool, int fd, bool may_fork)
{
	struct pollfd polled = { .fd = fd, .events = POLLMSG | POLLIN | POLLOUT };
	struct flock lock = {
		.l_type = one_of(F_RDLCK, F_WRLCK, F_UNLCK), .l_start = below(1000), .l_len = below(10),
	};
	bool is_ours = is_node(fd);
	pid_t pid;

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
		*(is_ours ? &tally->locks : &tally->strays) += 2;
		break;
	case 7:
		poll(&polled, 1, below(3));
		(*(is_ours ? &tally->polls : &tally->strays))++;
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
		(*(is_ours ? &tally->strays : &tally->blocks))++;
		break;
	case 11:
		mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
		tally->strays++;
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
	tally->sysfs++;
}

static void one_call(struct pool *pool, bool may_fork)
{
	int fd = pool->fds[below(FDS)], other = pool->fds[below(FDS)];

	switch (below(25)) {
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
		do_control(pool, fd);
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
	case 20: case 21:
		do_seed(fd);
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
	setpgid(0, group);
	signal(SIGCHLD, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	setrlimit(RLIMIT_NPROC, &(struct rlimit){ 400, 400 });
	setrlimit(RLIMIT_NOFILE, &limit);
	faults_are_mine();
	/* Once: after setuid() has succeeded, setgroups() fails with EPERM. */
	while (setgroups(0, NULL) || setgid(uid) || setuid(uid))
		if (!faults_permille())
			return 2;
	while (!make_memory())
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
		tally->blocks++;
	}
	return 0;
}

/* Freezes the file system on FROZEN, which stays thawed in the end. */
static int freezer_main(void *arg)
{
	int folder = open(FOLDER, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int file = open(FOLDER "/file", O_RDWR | O_CLOEXEC);
	unsigned char data[4096] = { 0 };

	for (state = (uintptr_t)arg; !tally->is_over; ) {
		if (ioctl(folder, FIFREEZE, 0))
			return errno;
		nap_ms(below(50));
		if (ioctl(folder, FITHAW, 0))
			return errno;
		tally->freezes++;
		if (pwrite(file, data, sizeof(data), below(ARENA / 4096) * 4096) < 0 ||
		    (!below(4) && fsync(file)))
			return errno;
		nap_ms(below(50));
	}
	return 0;
}

/* ---- the good devices, and the run ------------------------------------------------------------ */

static void reset_one(unsigned int number)
{
	int fd = open(device_of(number).node, O_RDWR | O_CLOEXEC);
	int ret = fd < 0 ? 0 : reset(fd);

	if (ret && ret != -ENODEV)
		fail("RESET of device %u: %s", number, strerror(-ret));
	if (fd >= 0)
		close(fd);
}

static struct ram *begin_sealed(struct device d, void *store, uint64_t size)
{
	struct abuse_params p = params_of(size);

	p.flags = ABUSE_PARAMS_SEALED;
	p.timeout = -1;
	set_up_as(&d, &p);
	return ram_start(&d, store, size);
}

static void unmount(void)
{
	if (getpid() == test_main_pid)
		umount2(FOLDER, MNT_DETACH);
}

static void begin_frozen(void)
{
	struct device d = device_of(FROZEN);

	frozen_server = begin_sealed(d, memory_new(FROZEN_SIZE), FROZEN_SIZE);
	need(!shell("mkfs.ext4 -q %s && mkdir -p " FOLDER " && mount %s " FOLDER, d.disk, d.disk),
	     "a mounted file system");
	atexit(unmount);
	need(!shell("chmod 755 " FOLDER " && dd if=/dev/zero of=" FOLDER "/file bs=1M count=1 "
		    "2>/dev/null && chmod 666 " FOLDER "/file"), "a file on it");
}

/* The files that callers registered are closed by the module. */
static void end_frozen(void)
{
	ok(wait_for(!umount2(FOLDER, 0)), "nothing keeps the file system");
	rmdir(FOLDER);
	ram_stop(frozen_server);
	reset_one(FROZEN);
	is(device_remove(FROZEN), 0, "REMOVE of its device");
}

static void write_tally(uint64_t seed, double seconds, unsigned long calls)
{
	const char *path = getenv("FUZZ_TALLY");
	FILE *file = path ? fopen(path, "a") : NULL;

	if (!file)
		return;
	fprintf(file, "%llu %.0f %lu %lu %lu %lu\n", (unsigned long long)seed, seconds, calls, tally->kills,
		tally->freed, tally->blocks);
	fclose(file);
}

/* The numbers of the devices that callers may use. */
#define for_each_number(i) \
	for (unsigned int i = 0; i < ALL; i = i == DEVICES - 1 ? ADDED : i + 1)

static void reset_all(void)
{
	for_each_number(i)
		reset_one(i);
}

/* ---- callers are killed -------------------------------------------------------------------- */

#define ENDS_WITHIN	6	/* seconds: the module's time-outs are 2, callers set up to 1 */

static int group_main(void *arg)
{
	(void)arg;
	for (;;)
		pause();
	return 0;
}

static void start_group(void)
{
	group = child_start(group_main, NULL);
	setpgid(group, group);
}

static void start_callers(void)
{
	for (unsigned int i = 0; i < CALLERS; i++)
		if (!pid[i])
			pid[i] = child_start(caller_main, (void *)(uintptr_t)next_seed++);
}

static bool has_ended(unsigned int i)
{
	int status;

	if (!pid[i] || waitpid(pid[i], &status, WNOHANG) != pid[i])
		return !pid[i];
	pid[i] = 0;
	if (!WIFSIGNALED(status)) {
		printf("# a process ended with %d\n", status);
		tally->bad++;
	}
	return true;
}

static bool have_ended(void)
{
	unsigned int left = 0;

	for (unsigned int i = 0; i < CALLERS; i++)
		left += !has_ended(i);
	return !left;
}

/* Whether a process that was killed serves the disk and sleeps. */
static bool is_served(const struct device *d)
{
	const char *pids = strchr(attribute(d, "servers"), ' ');
	char *end;

	for (long server; pids && (server = strtol(pids, &end, 10)) > 0; pids = end)
		if (!shell("cat /proc/%ld/task/*/stat 2>/dev/null | grep -q ') D '", server))
			return true;
	return false;
}

/* Whether its requests end by nothing but RESET, now that all servers were killed. */
static bool waits_for_ever(unsigned int number, bool is_loud)
{
	struct device d = device_of(number);
	int fd = open(d.node, O_RDWR | O_CLOEXEC);
	struct abuse_params p = { 0 };
	bool is_up, may;

	is_up = fd >= 0 && !get_params(fd, &p) && p.state == ABUSE_S_UP;
	if (fd >= 0)
		close(fd);
	if (!is_up || attribute_number(&d, "queued") + attribute_number(&d, "held") <= 0)
		return false;
	may = p.timeout < 0 || (!p.owner && (!p.timeout || p.timeout > SEC) && is_served(&d));
	if (is_loud) {
		printf("# disk %u, time-out %lld ns, owner %u: oldest %s ms, ", number,
		       (long long)p.timeout, p.owner, attribute(&d, "oldest_ms"));
		printf("servers %s: %s\n", attribute(&d, "servers"), may ? "may wait" : "may not wait");
	}
	return may;
}

/* Whether a thread of it sleeps in the module. */
static bool is_in_module(pid_t of, bool is_loud)
{
	if (is_loud)
		shell("cat /proc/%d/task/*/stack | sed 's/^/# /'", (int)of);
	return !shell("cat /proc/%d/task/*/stack 2>/dev/null | grep -q '\\[abuse\\]'", (int)of);
}

/* How many of those that were killed sleep though they may not. */
static unsigned int count_stuck(bool is_loud)
{
	unsigned int disks = 0, stuck = 0;

	for_each_number(i)
		disks += waits_for_ever(i, is_loud);
	for (unsigned int i = 0; i < CALLERS; i++)
		if (pid[i])
			stuck += is_in_module(pid[i], is_loud) || !disks;
	return stuck;
}

/*
 * All callers and their children are killed, so that none serves a disk any more, and the module
 * has time to fail requests. Those that sleep even then are counted, and freed by RESET.
 */
static void end_callers(void)
{
	double end = now() + stretched(30);
	unsigned int stuck;

	for (unsigned int i = 0; i < CALLERS; i++)
		if (pid[i])
			kill(pid[i], SIGKILL);
	kill(-group, SIGKILL);
	waitpid(group, NULL, 0);
	if (wait_for_within(ENDS_WITHIN, have_ended()))
		return;
	while ((stuck = count_stuck(false)) && !have_ended() && now() < end)
		nap_ms(500);
	if (have_ended())
		return;
	stuck = count_stuck(true);
	tally->bad += stuck;
	for (unsigned int i = 0; i < CALLERS; i++)
		tally->freed += !!pid[i];
	reset_all();
	if (!wait_for(have_ended())) {
		count_stuck(true);
		fail("a killed process still sleeps after RESET of all disks");
	}
	is(stuck, 0, "killed processes that sleep, though they may not");
}

static void kill_one(unsigned int i)
{
	kill(pid[i], SIGKILL);
	tally->kills++;
	if (!wait_for_within(stretched(1), has_ended(i))) {
		tally->late++;
		end_callers();
		start_group();
	}
	start_callers();
}

static void begin_corpus(void)
{
	const char *path = getenv("FUZZ_CORPUS");
	FILE *file = path ? fopen(path, "r") : NULL;

	corpus = memory_new(sizeof(*corpus));
	if (file) {
		corpus->nr = fread(corpus->seed, sizeof(struct seed), SEEDS, file);
		fclose(file);
	}
	coverage = open("/sys/kernel/debug/abuse-coverage-count", O_RDONLY | O_CLOEXEC);
	corpus->reached = count_reached();
	printf("# %u seeds, %lu blocks reached before\n", corpus->nr, corpus->reached);
}

static void write_corpus(void)
{
	const char *path = getenv("FUZZ_CORPUS");
	FILE *file;

	printf("# %u seeds, %lu blocks reached\n", corpus->nr, count_reached());
	file = path && coverage >= 0 && corpus->nr ? fopen(path, "w") : NULL;
	if (!file)
		return;
	need(fwrite(corpus->seed, sizeof(struct seed), corpus->nr < SEEDS ? corpus->nr : SEEDS, file),
	     "to write seeds");
	need(!fclose(file), "to write seeds");
}

/* A slow machine needs longer for it. With injected faults an ADD hardly ever succeeds. */
static bool was_all_tried(void)
{
	return faults_permille() || (tally->taken[ABUSE_MAP & 0x1f] && tally->added && tally->freezes);
}

int main(void)
{
	const char *text = getenv("FUZZ_SEED");
	uint64_t seed = text ? strtoull(text, NULL, 0) : (uint64_t)time(NULL) % 1000000 * 1000;
	unsigned long calls = 0;
	pid_t issuers[2], freezer, slow_server;
	struct race *r;
	double begin;

	test_begin();
	need(!module_reload("max_abuse=%u user_timeout=2 unserved_timeout=2", ALL), "the module");
	for (unsigned int i = ADDED; i < ALL; i++)
		need(!device_remove(i), "room for devices");
	printf("# FUZZ_SEED=%llu\n", (unsigned long long)seed);
	if (system("sysctl -qw vm.unprivileged_userfaultfd=1 2>/dev/null"))
		printf("# no userfaultfd for users\n");
	tally = memory_new(sizeof(*tally));
	begin_corpus();
	need(!socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, post), "sockets");
	node_for_all("/dev/abuse-control");	/* waits for udev, once for all */
	for (unsigned int i = 0; i < DEVICES; i++)
		need(!chmod(device_of(i).node, 0666), "%s for users", device_of(i).node);
	begin_frozen();
	slow_server = slow_start();
	faults_begin();
	freezer = child_start(freezer_main, (void *)(uintptr_t)(seed + 999));
	for (int i = 0; i < 2; i++)
		issuers[i] = child_start(issuer_main, (void *)(uintptr_t)(seed + 1000 + i));
	next_seed = seed;
	start_group();
	start_callers();
	r = race_new(device_of(GOOD), false);
	good_server = begin_sealed(r->d, r->store, RACE_SIZE);
	race_writers(r);

	state = seed;
	for (begin = now(); race_goes_on(r, begin, was_all_tried() ? tally->kills : 0); ) {
		nap_ms(20 + below(100));
		for (unsigned int i = 0; i < DEVICES; i++)	/* some are new */
			chmod(device_of(i).node, 0666);
		kill_one(below(CALLERS));
	}
	tally->is_over = true;
	is(child_wait(freezer), 0, "the file system freezes and thaws");
	end_callers();
	tally->kills += CALLERS;
	is(tally->bad, 0, "processes that were not there to be killed, or could not be");
	close(post[0]);
	close(post[1]);
	for (int i = 0; i < NR_CALLS; i++)
		calls += tally->taken[i] + tally->refused[i];
	calls += tally->opens + tally->polls + tally->locks;
	printf("# besides: %lu calls of disks, %lu of attributes, %lu on other descriptors\n", tally->blocks,
	       tally->sysfs, tally->strays);
	printf("# of the module %lu opens, %lu polls, %lu locks\n", tally->opens, tally->polls, tally->locks);
	printf("# %lu calls, %lu kills, %lu of them late, %lu freed by RESET, %lu descriptors "
	       "passed, %lu faults blocked, %lu waited for FUSE\n", calls, tally->kills, tally->late, tally->freed,
	       tally->passed, tally->blocked, tally->slow);
	for (int i = 0; i < 16; i++)
		printf("# 0x%x: taken %lu, refused %lu\n", 0x20 + i, tally->taken[i],
		       tally->refused[i]);
	reset_all();
	for (int i = 0; i < 2; i++)
		is(child_wait(issuers[i]), 0, "I/O ends");
	reset_all();
	for_each_number(i)
		if (!access(device_of(i).node, F_OK))
			is(device_remove(i), 0, "REMOVE");
	ok(calls > 100, "%lu calls", calls);
	ok(was_all_tried(), "maps, added devices and freezes");
	printf("# %lu maps were taken, %lu devices were added with a descriptor, %lu times frozen\n",
	       tally->taken[ABUSE_MAP & 0x1f], tally->added, tally->freezes);
	end_frozen();
	if (slow_server) {
		kill(slow_server, SIGKILL);
		is(child_wait(slow_server), 256 + SIGKILL, "the server of FUSE ends");
	}
	race_end(r, "killed", tally->kills + 20);
	ram_stop(good_server);
	reset_one(GOOD);
	is(device_remove(GOOD), 0, "REMOVE of the device whose bytes stayed");
	write_corpus();
	write_tally(seed, now() - begin, calls);
	return done();
}
