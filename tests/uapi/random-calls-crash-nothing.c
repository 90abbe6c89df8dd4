/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * Processes issue every call of the interface, and calls that it has not, on every node
 * with arguments that are right, nearly right or wrong, while I/O goes on and a good
 * server comes and goes: they can be killed wherever they are, and in the end each
 * device is reset and removed. With an argument, the seed is that number.
 */
/* Kernels before 6.0 warn of writes to a disk that was made read-only meanwhile. */
/* allow-log: generic_make_request_checks|submit_bio_checks */
/* timeout: 120 */
/* build: m32 */
#include "race.h"
#include <sys/resource.h>

#define DEVICES		8
#define CALLERS		3
#define ISSUERS		2		/* I/O */
#define ARENA		(4 * MIB)	/* what wrong addresses may be written to */
#define GUARD		(256 * MIB)
#define MOST		(ABUSE_MAX_ENTRIES * 4096)	/* bytes that entries of a call take */
#define BATCH		8

#define one_of(...) ({							\
	uint64_t of_[] = { __VA_ARGS__ };				\
	of_[below(sizeof(of_) / sizeof(of_[0]))]; })

enum { EXCHANGE, SET_PARAMS, GET_PARAMS, SET_STATUS, GET_STATUS, SET_POLL, RESET, GET_BIO,
       PUT_BIO, REGISTER, UNREGISTER, ADD, REMOVE, GET_FREE, UNKNOWN, NR_CALLS };

static const char *const names[NR_CALLS] = {
	"EXCHANGE", "SET_PARAMS", "GET_PARAMS", "SET_STATUS", "GET_STATUS", "SET_POLL",
	"RESET", "GET_BIO", "PUT_BIO", "REGISTER_FILE", "UNREGISTER_FILE", "ADD", "REMOVE",
	"GET_FREE", "an unknown command",
};

static struct race *r;
static _Atomic unsigned long *taken, *refused;
static _Thread_local uint64_t state;
/* Of a thread: where spoilt sizes and counts may let the kernel write, too. */
static _Thread_local struct own {
	char replies[MOST], requests[MOST], argument[4096];
} *own;

/* ---- of one process that calls -------------------------------------------------- */

static char *arena;
static int control, file, fds[4], disk;
static uint64_t ids[32];	/* of what was handed out to it */

static uint64_t random_bits(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static uint64_t below(uint64_t n)
{
	return random_bits() % n;
}

/* Mostly the arena's, aligned or not; else one where nothing of ours is. */
static uint64_t address(void)
{
	if (below(8))
		return ADDR(arena) + (below(ARENA) & -one_of(1, 8, 512, 4096));
	return one_of(0, 1, 4095, ADDR(arena) + ARENA, ADDR(arena) + ARENA - 1,
		      1ULL << 63, ~0ULL << 32, ~0ULL);
}

/* Now and then a field is what it should not be. */
static void spoil(void *p, size_t size)
{
	if (!below(3))
		((uint32_t *)p)[below(size / 4)] =
			one_of(0, 1, 2, 7, 255, 256, 257, 511, 512, 513, 4095, 4096, 1 << 20,
			       0x7fffffff, 0x80000000, 0xffffffff);
}

/* Of a struct p of that size, or what is no struct at all. */
static int call_with(int fd, unsigned long cmd, void *p, size_t size)
{
	int ret;

	memcpy(own->argument, p, size);
	ret = call(fd, cmd, below(16) ? own->argument : (char *)(uintptr_t)address());
	memcpy(p, own->argument, size);
	return ret;
}

static int call_spoilt(int fd, unsigned long cmd, void *p, size_t size)
{
	spoil(p, size);
	return call_with(fd, cmd, p, size);
}

static int call_exchange(int fd)
{
	struct abuse_exchange x = exchange_new();
	struct abuse_request *q = (void *)own->requests;
	struct abuse_reply *a = (void *)own->replies;
	int ret;

	for (int i = 0; i < BATCH; i++) {
		a[i] = (struct abuse_reply) {
			.id = ids[below(32)], .address = address(),
			.result = one_of(0, 0, 0, EIO, ENOSPC, EOPNOTSUPP, EINVAL),
			.flags = one_of(0, ABUSE_REPLY_ZERO, ABUSE_REPLY_STORE,
					ABUSE_REPLY_REDIRECT),
		};
		if (a[i].flags == ABUSE_REPLY_REDIRECT)
			a[i].address = below(ARENA) & -512;
		spoil(&a[i], sizeof(a[i]));
	}
	x.nr_replies = below(BATCH + 1);
	x.replies = below(8) ? ADDR(a) : address();
	x.max_requests = below(BATCH + 1);
	x.requests = below(8) ? ADDR(q) : address();
	x.buffer = below(4) ? ADDR(arena) : address();
	x.buffer_size = one_of(0, MIB, ARENA, below(ARENA), ~0ULL);
	x.spin = one_of(0, 0, below(MSEC), 2 * MSEC);
	spoil(&x, sizeof(x));
	x.wait = below(2 * MSEC);
	ret = call_with(fd, ABUSE_EXCHANGE, &x, sizeof(x));
	if (!ret && x.requests == ADDR(q))
		for (unsigned int i = 0; i < x.nr_requests && i < BATCH; i++)
			ids[below(32)] = q[i].id;
	return ret;
}

static int call_set_params(int fd)
{
	struct abuse_params p = params_of(one_of(RACE_SIZE, RACE_SIZE, 4096, 1ULL << 40,
						 ~0ULL << 12));

	p.flags = one_of(0, 0, 0, ABUSE_PARAMS_READ_ONLY, ABUSE_PARAMS_SEALED);
	p.features = one_of(0, 0, below(128));
	p.logical_block_size = one_of(0, 0, 512, 4096);
	p.max_request = one_of(0, 4096, MIB);
	p.chunk = one_of(0, 0, 4096, 65536);
	p.queue_limit = one_of(0, 0, 1, 16, 1024);
	p.timeout = one_of(0, 0, -1, MSEC, 100 * MSEC);
	return call_spoilt(fd, ABUSE_SET_PARAMS, &p, sizeof(p));
}

static int call_get_params(int fd)
{
	struct abuse_params p = { .size = sizeof(p) };

	return call_spoilt(fd, ABUSE_GET_PARAMS, &p, sizeof(p));
}

static int call_set_status(int fd)
{
	struct abuse_info info = {
		.ab_size = one_of(RACE_SIZE, RACE_SIZE, 512, 4097),
		.ab_blocksize = one_of(512, 4096),
		.ab_max_queue = one_of(1, 128, 512), .ab_flags = below(4),
	};

	return call_spoilt(fd, ABUSE_SET_STATUS, &info, sizeof(info));
}

static int call_get_status(int fd)
{
	struct abuse_info info;

	return call_spoilt(fd, ABUSE_GET_STATUS, &info, sizeof(info));
}

static int call_get_bio(int fd, struct bio *bio)
{
	struct bio unused;

	bio = bio ? bio : &unused;
	memset(&bio->hdr, 0, sizeof(bio->hdr));
	bio->hdr.ab_transfer_address = below(4) ? ADDR(bio->vecs) : address();
	return call_with(fd, ABUSE_GET_BIO, &bio->hdr, sizeof(bio->hdr));
}

static int call_put_bio(int fd)
{
	struct bio bio = { };

	call_get_bio(fd, &bio);
	for (int i = 0; i < 256; i++)
		bio.vecs[i].ab_address = address();
	bio.hdr.ab_transfer_address = below(4) ? ADDR(bio.vecs) : address();
	bio.hdr.ab_result = one_of(0, 0, 0, 1, 1, 2, 3);
	return call_spoilt(fd, ABUSE_PUT_BIO, &bio.hdr, sizeof(bio.hdr));
}

static int call_register(int fd)
{
	struct abuse_file f = {
		.size = sizeof(f), .fd = one_of(file, file, file, disk, control, fd, 1000, -1),
	};

	return call_spoilt(fd, ABUSE_REGISTER_FILE, &f, sizeof(f));
}

static int call_unregister(int fd)
{
	return call_value(fd, ABUSE_UNREGISTER_FILE, one_of(below(4), 255, 256, ~0));
}

static int call_add(void)
{
	struct abuse_add add = {
		.size = sizeof(add), .number = one_of(below(DEVICES), ABUSE_NUMBER_ANY, DEVICES),
		.hw_queues = one_of(0, 1, 2, 64, 65), .depth = one_of(0, 1, 16, 1024, 1025),
		.flags = below(4) ? 0 : ABUSE_ADD_OWNER, .owner = one_of(0, 4242, -1),
	};

	return call_spoilt(control, ABUSE_CTL_ADD, &add, sizeof(add));
}

static int call_remove(void)
{
	return call_value(control, ABUSE_CTL_REMOVE, one_of(below(DEVICES), DEVICES, ~0));
}

/* Of our letter, whatever size it claims, on either kind of node. */
static int call_unknown(int fd)
{
	unsigned int nr = one_of(below(0x20), 0x2b, 0x2c, 0x30 + below(0xd0));

	return call(below(2) ? fd : control, _IOC(below(4), 'A', nr, below(256)),
		    (void *)(uintptr_t)address());
}

/* RESET and REMOVE, after which others have less to do, are not for every turn. */
static void one_call(void)
{
	int *fd = &fds[below(4)], what = below(NR_CALLS), ret;

	if ((what == RESET && below(16)) || (what == REMOVE && below(4)))
		what = EXCHANGE;
	switch (what) {
	case EXCHANGE:	 ret = call_exchange(*fd); break;
	case SET_PARAMS: ret = call_set_params(*fd); break;
	case GET_PARAMS: ret = call_get_params(*fd); break;
	case SET_STATUS: ret = call_set_status(*fd); break;
	case GET_STATUS: ret = call_get_status(*fd); break;
	case SET_POLL:	 ret = set_poll(*fd, one_of(0, 1, 2, ~0)); break;
	case RESET:	 ret = reset(*fd); break;
	case GET_BIO:	 ret = call_get_bio(*fd, NULL); break;
	case PUT_BIO:	 ret = call_put_bio(*fd); break;
	case REGISTER:	 ret = call_register(*fd); break;
	case UNREGISTER: ret = call_unregister(*fd); break;
	case ADD:	 ret = call_add(); break;
	case REMOVE:	 ret = call_remove(); break;
	case GET_FREE:	 ret = call(control, ABUSE_CTL_GET_FREE, NULL); break;
	default:	 ret = call_unknown(*fd); break;
	}
	if (ret >= 0)
		taken[what]++;
	else
		refused[what]++;
	if (!below(64)) {
		struct device d = device_of(below(DEVICES));
		struct pollfd p = { .fd = *fd, .events = POLLMSG | POLLIN };

		poll(&p, 1, 0);
		/* Its requests return. The other thread may be using it just now. */
		close(*fd);
		*fd = open(d.node, one_of(O_RDWR, O_RDONLY) | O_CLOEXEC);
	}
}

static void *calls_main(void *arg)
{
	own = memory_new(sizeof(*own));
	for (state = (uintptr_t)arg; ; )
		one_call();
	return NULL;
}

/* Two threads that share all they have, until they are killed. */
static int caller(void *arg)
{
	struct rlimit limit = { ARENA, ARENA };
	uintptr_t seed = (uintptr_t)arg;
	pthread_t thread;

	close_all_above_2();
	signal(SIGXFSZ, SIG_IGN);
	setrlimit(RLIMIT_FSIZE, &limit);	/* of what is redirected, too */
	arena = mmap(NULL, ARENA + GUARD, PROT_NONE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (arena == MAP_FAILED || mprotect(arena, ARENA, PROT_READ | PROT_WRITE))
		return 2;
	control = open("/dev/abuse-control", O_RDWR | O_CLOEXEC);
	file = open("/dev/shm", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
	disk = open(r->d.disk, O_RDONLY | O_CLOEXEC);
	for (int i = 0; i < 4; i++)
		fds[i] = open(device_of((seed + i) % DEVICES).node, O_RDWR | O_CLOEXEC);
	if (control < 0 || file < 0 ||
	    pthread_create(&thread, NULL, calls_main, (void *)(seed * 2)))
		return 3;
	calls_main((void *)(seed * 2 + 1));
	return 0;
}

/* ---- who goes on meanwhile -------------------------------------------------------- */

static int issuer(void *arg)
{
	unsigned char *data = memory_new(256 * KIB);

	close_all_above_2();
	for (state = (uintptr_t)arg; !r->stop; ) {
		struct device d = device_of(below(DEVICES));
		int fd = open(d.disk, O_RDWR | O_DIRECT | O_CLOEXEC);
		uint64_t range[2] = { below(512) * 4096, (1 + below(64)) * 4096 };
		ssize_t n = -1;

		switch (fd < 0 ? 5 : below(5)) {
		case 0: n = pread(fd, data, range[1], range[0]) - (ssize_t)range[1]; break;
		case 1: n = pwrite(fd, data, range[1], range[0]) - (ssize_t)range[1]; break;
		case 2: n = fsync(fd); break;
		case 3: n = ioctl(fd, BLKDISCARD, range); break;
		case 4: n = ioctl(fd, BLKZEROOUT, range); break;
		}
		if (fd >= 0)
			close(fd);
		if (n)
			r->failed++;
		else
			r->good++;
		if (n)
			nap_ms(1);
	}
	return 0;
}

/* True unless it ends as it should: by its signal, not by itself or by another. */
static bool kill_one(pid_t pid)
{
	int status;

	kill(pid, SIGKILL);
	status = child_wait(pid);
	if (status != 256 + SIGKILL)
		printf("# a process ended with %d\n", status);
	return status != 256 + SIGKILL;
}

/* Was each kind of call taken and refused, if it can be? On a busy machine that takes longer. */
static bool all_seen(void)
{
	for (unsigned int i = 0; i < NR_CALLS; i++)
		if ((!taken[i] && i != UNKNOWN) || (!refused[i] && i != GET_FREE && i != RESET))
			return false;
	return true;
}

/* A little of each device that lets it. */
static int good_server(void *arg)
{
	void *buffer = memory_new(RAM_BUFFER);

	(void)arg;
	close_all_above_2();
	for (unsigned int i = 0; ; i++) {
		int fd = open(device_of(i % DEVICES).node, O_RDWR | O_CLOEXEC);

		if (fd >= 0) {
			race_serve(r, fd, buffer, 4, true);
			close(fd);
		}
	}
	return 0;
}

int main(int argc, char **argv)
{
	uintptr_t seed = argc > 1 ? strtoul(argv[1], NULL, 0) :
				    (uintptr_t)time(NULL) % 1000000 * 1000;
	pid_t pid[CALLERS + 1], io[ISSUERS];
	unsigned long n = 0, bad = 0;
	double begin;

	test_begin();
	need(!module_reload("max_abuse=8"), "the module with 8 devices");
	printf("# the seed is %lu\n", (unsigned long)seed);
	r = race_new(device_of(0), true);
	taken = memory_new(NR_CALLS * sizeof(*taken));
	refused = memory_new(NR_CALLS * sizeof(*refused));
	for (unsigned int i = 0; i < ISSUERS; i++)
		io[i] = child_start(issuer, (void *)(seed + 1 + i));
	for (unsigned int i = 0; i <= CALLERS; i++)
		pid[i] = child_start(i ? caller : good_server, (void *)(seed + 10 + i));

	for (begin = now(); race_goes_on(r, begin, n) ||
	     (!all_seen() && now() - begin < test_seconds() / 2); n++) {
		unsigned int i = n % (CALLERS + 1);

		nap_ms(100);
		bad += kill_one(pid[i]);
		pid[i] = child_start(i ? caller : good_server, (void *)(seed + 20 + n));
	}
	r->stop = true;
	for (unsigned int i = 0; i <= CALLERS; i++)
		bad += kill_one(pid[i]);
	is(bad, 0, "processes that were not there to be killed, or could not be");

	for (unsigned int i = 0; i < DEVICES; i++) {
		int fd = open(device_of(i).node, O_RDWR | O_CLOEXEC);

		if (fd < 0)
			continue;
		is(reset(fd), 0, "RESET");
		close(fd);
	}
	for (unsigned int i = 0; i < ISSUERS; i++)
		is(child_wait(io[i]), 0, "I/O ends");
	for (unsigned int i = 0; i < DEVICES; i++)
		if (!access(device_of(i).node, F_OK))
			is(device_remove(i), 0, "REMOVE");
	for (unsigned int i = 0; i < NR_CALLS; i++) {
		ok((i == UNKNOWN) == !taken[i], "%s was taken %lu times", names[i], taken[i]);
		ok(refused[i] || i == GET_FREE || i == RESET, "refused %lu times", refused[i]);
	}
	is(r->wrong, 0, "wrong answers to the good server");
	ok(r->good > 0 && r->answered > 0, "%lu I/Os succeeded, %lu failed; %lu good answers",
	   r->good, r->failed, r->answered);
	return done();
}
