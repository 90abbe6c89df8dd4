/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * A server is inside exchange, in a fault on its own memory (userfaultfd), while its
 * device is removed, with one hardware queue and with several: it is told ENODEV.
 */
#include "recorder.h"
#include <linux/userfaultfd.h>

#define PAGE	4096

static int uffd, fd;
static char *trap;
static struct abuse_request q;

static int server(void *arg)
{
	return ioctl(fd, ABUSE_EXCHANGE, arg) ? errno : 0;
}

static void trap_set(void)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_MISSING };

	uffd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	if (uffd < 0)
		skip("no userfaultfd here: %s", strerror(errno));
	need(!ioctl(uffd, UFFDIO_API, &api), "UFFDIO_API");
	trap = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	reg.range.start = ADDR(trap);
	reg.range.len = PAGE;
	need(!ioctl(uffd, UFFDIO_REGISTER, &reg), "UFFDIO_REGISTER");
}

/* The struct that the call asks for comes now. */
static void trap_mend(void)
{
	static _Alignas(PAGE) char page[PAGE];
	struct abuse_exchange x = exchange_new();
	struct uffdio_copy copy = { .dst = ADDR(trap), .src = ADDR(page), .len = PAGE };

	x.requests = ADDR(&q);
	x.max_requests = 1;
	x.wait = FOR_EVER;
	memcpy(page, &x, sizeof(x));
	need(!ioctl(uffd, UFFDIO_COPY, &copy), "UFFDIO_COPY");
}

int main(void)
{
	struct pollfd p;
	struct device d;
	struct job job;

	test_begin();
	trap_set();
	for (unsigned int queues = 1; queues <= 2; queues++) {
		d = device_new_depth(queues, 8);
		set_up(&d, 1 * MIB, 0);
		fd = server_open(&d);
		is(fetch(fd, &q, 1, NULL, 0, NO_WAIT), 0, "a call");
		madvise(trap, PAGE, MADV_DONTNEED);
		job_start(&job, server, trap);
		p = (struct pollfd){ .fd = uffd, .events = POLLIN };
		need(poll(&p, 1, 1000 * DEADLINE_SECONDS) == 1, "the fault");
		is(device_remove(d.number), 0, "REMOVE");
		trap_mend();
		is(job_wait(&job, "the call"), ENODEV, "it ends");
		close(fd);
	}
	return done();
}
