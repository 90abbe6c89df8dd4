/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * Polled I/O (IORING_SETUP_IOPOLL): disks that are not sealed refuse it, because the kernel polls on
 * for who is killed. On sealed ones its bytes are right with one and more hardware queues, from a
 * server, and from a map with no server. A scheduler merges it with other I/O. Without a server the
 * disk can be reset, and a killed submitter ends once a server comes.
 */
/* timeout: 90 */
/* needs: /usr/include/liburing.h:liburing-dev */
/* cflags: -luring */
#include "map.h"
#include <liburing.h>

#define N	32
#define SIZE	4096
#define BYTES	(1 * MIB)

static unsigned char *data;	/* of N requests, page by page */

static void ring_new(struct io_uring *ring)
{
	int ret = io_uring_queue_init(2 * N, ring, IORING_SETUP_IOPOLL);

	if (ret == -ENOSYS || ret == -EPERM)
		skip("no io_uring here");
	need(!ret, "a ring: %s", strerror(-ret));
}

/* Requests FIRST to FIRST + n - 1, each of a page that lies behind the page before. */
static void submit(struct io_uring *ring, int fd, bool is_write, unsigned int first, unsigned int n)
{
	for (unsigned int i = first; i < first + n; i++) {
		struct io_uring_sqe *sqe = io_uring_get_sqe(ring);

		if (is_write)
			io_uring_prep_write(sqe, fd, data + i * SIZE, SIZE, i * SIZE);
		else
			io_uring_prep_read(sqe, fd, data + i * SIZE, SIZE, i * SIZE);
	}
	need(io_uring_submit(ring) == (int)n, "to submit");
}

/* How many of n requests had that result. */
static unsigned int reap(struct io_uring *ring, unsigned int n, int result)
{
	struct io_uring_cqe *cqe;
	unsigned int found = 0;

	for (unsigned int i = 0; i < n; i++) {
		need(!io_uring_wait_cqe(ring, &cqe), "a completion");
		if (cqe->res != result)
			printf("# a request ended with %d\n", cqe->res);
		found += cqe->res == result;
		io_uring_cqe_seen(ring, cqe);
	}
	return found;
}

static bool write_and_read(int fd, unsigned int seed)
{
	struct io_uring ring;
	bool is_right;

	ring_new(&ring);
	pattern_fill(data, N * SIZE, seed);
	submit(&ring, fd, true, 0, N);
	is_right = reap(&ring, N, SIZE) == N;
	memset(data, 0, N * SIZE);
	submit(&ring, fd, false, 0, N);
	is_right = reap(&ring, N, SIZE) == N && is_right;
	io_uring_queue_exit(&ring);
	return is_right && pattern_is(data, N * SIZE, seed);
}

static bool is_polled(const struct device *d)
{
	return !shell("grep -qx 1 /sys/block/abuse%u/queue/io_poll", d->number);
}

static void set_up_sealed(const struct device *d)
{
	struct abuse_params p = params_of(BYTES);

	p.flags = ABUSE_PARAMS_SEALED;
	set_up_as(d, &p);
}

static void reset_now(const struct device *d)
{
	int ctl = server_open(d);

	need(!reset(ctl), "RESET");
	close(ctl);
}

/* udev opens sealed disks, too, and waits for a server. */
static void reset_and_remove(const struct device *d)
{
	reset_now(d);
	is(device_remove(d->number), 0, "REMOVE");
}

static void refused_unless_sealed(void)
{
	struct device d = device_new();
	struct io_uring ring;
	int fd;

	set_up(&d, BYTES, 0);
	ok(!is_polled(&d), "the kernel does not poll a disk that is not sealed");
	if (kernel_is_from(6, 11)) {
		fd = disk_open(&d, O_RDONLY | O_DIRECT);
		ring_new(&ring);
		submit(&ring, fd, false, 0, 1);
		is(reap(&ring, 1, -EOPNOTSUPP), 1, "a read that is refused");
		io_uring_queue_exit(&ring);
		close(fd);
	}
	reset_now(&d);

	set_up_sealed(&d);
	if (!is_polled(&d) && !kernel_is_from(6, 11)) {
		reset_and_remove(&d);
		skip("this kernel cannot refuse polled I/O to one disk, so that no disk has it");
	}
	ok(is_polled(&d), "the kernel polls a sealed disk");
	reset_now(&d);
	set_up(&d, BYTES, 0);
	ok(!is_polled(&d), "not if it is not sealed after RESET");
	is(device_remove(d.number), 0, "REMOVE");
}

static void from_servers(unsigned int queues, unsigned int seed)
{
	struct device d = device_new_depth(queues, 16);
	struct ram *ram;
	int fd;

	set_up_sealed(&d);
	ram = ram_start(&d, memory_new(BYTES), BYTES);
	fd = disk_open(&d, O_RDWR | O_DIRECT);
	for (unsigned int cpu = 0; cpu < 2; cpu++) {
		need(!pin(cpu), "processor %u", cpu);
		ok(write_and_read(fd, seed + cpu), "%u queues, processor %u: served", queues, cpu);
	}
	close(fd);
	ram_stop(ram);
	reset_and_remove(&d);
}

static void from_a_map(void)
{
	struct device d = device_new();
	int file = file_new("/dev/shm", BYTES, 1, O_RDWR), ctl, fd;

	set_up_sealed(&d);
	ctl = server_open(&d);
	is(map_bytes(ctl, registered(ctl, file), 0, BYTES, MAP_ALL), 0, "MAP");
	fd = disk_open(&d, O_RDWR | O_DIRECT);
	ok(write_and_read(fd, 7), "a map, without a server");
	ok(file_has(file, 0, N * SIZE, 7), "the file has what was written");
	close(fd);
	need(!reset(ctl), "RESET");
	close(ctl);
}

/* Both kinds of I/O wait in the scheduler, for tags, each behind the other. */
static void merged_with_others(void)
{
	struct device d = device_new_depth(1, 2);
	struct io *others[N / 2];
	struct io_uring ring;
	struct ram *ram;
	int fd;

	set_up_sealed(&d);
	if (shell("modprobe -q mq-deadline; echo mq-deadline >/sys/block/abuse%u/queue/scheduler && "
		  "echo 256 >/sys/block/abuse%u/queue/nr_requests", d.number, d.number)) {
		printf("# no scheduler here\n");
		return;
	}
	fd = disk_open(&d, O_RDWR | O_DIRECT);
	ring_new(&ring);
	submit(&ring, fd, false, 0, 2);
	for (unsigned int i = 0; i < N / 2; i++)
		others[i] = io_read(&d, (2 * i + 2) * SIZE, SIZE);
	nap_ms(200);
	for (unsigned int i = 3; i < N; i += 2)
		submit(&ring, fd, false, i, 1);
	ram = ram_start(&d, memory_new(BYTES), BYTES);
	is(reap(&ring, 2 + (N - 2) / 2, SIZE), 2 + (N - 2) / 2, "polled requests among others");
	for (unsigned int i = 0; i < N / 2; i++)
		is(io_end(others[i]), 0, "one of the others");
	io_uring_queue_exit(&ring);
	close(fd);
	ram_stop(ram);
	reset_and_remove(&d);
}

static _Atomic bool *has_submitted;

static int poll_for_ever(void *arg)
{
	struct io_uring ring;
	int fd = disk_open(arg, O_RDONLY | O_DIRECT);

	ring_new(&ring);
	submit(&ring, fd, false, 0, 1);
	*has_submitted = true;
	return reap(&ring, 1, SIZE) != 1;
}

static pid_t poller_start(struct device *d)
{
	pid_t child;

	*has_submitted = false;
	child = child_start(poll_for_ever, d);
	need(wait_for(*has_submitted && attribute_number(d, "queued") >= 1), "a request that waits");
	return child;
}

static void without_a_server(void)
{
	struct device d = device_new();
	struct ram *ram;
	pid_t child;
	int ctl;

	set_up_sealed(&d);
	child = poller_start(&d);
	kill(child, SIGKILL);
	nap_ms(100);
	ram = ram_start(&d, memory_new(BYTES), BYTES);
	is(child_wait(child), 256 + SIGKILL, "a killed submitter ends once there is a server");
	ram_stop(ram);

	child = poller_start(&d);
	ctl = server_open(&d);
	is(reset(ctl), 0, "RESET");
	is(child_wait(child), 1, "RESET ends what is polled, with an error");
	close(ctl);
	is(device_remove(d.number), 0, "REMOVE");
}

int main(void)
{
	test_begin();
	data = memory_new(N * SIZE);
	has_submitted = memory_new(4096);
	refused_unless_sealed();
	from_servers(1, 1);
	from_servers(2, 3);
	from_a_map();
	merged_with_others();
	without_a_server();
	return done();
}
