/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * Events that root makes by a disk's attribute uevent, as udevadm trigger does, are all sent while a
 * loop configures and resets that disk: trigger --settle waits without end for one that is not.
 */
/* timeout: 60 */
#include "abuse.h"

#include <linux/netlink.h>
#include <sys/socket.h>

#define SIZE	(1 * MIB)
#define SET_UPS	60
#define UUID	"0b0e50b1-5ca1-4b1e-a000-000000000001"

static struct device dev;
static _Atomic bool *is_over;

static int configure_and_reset(void *unused)
{
	struct abuse_params params = params_of(SIZE);
	int ctl = server_open(&dev), ret = 0;

	(void)unused;
	/* EBUSY: somebody has the disk open just now. */
	for (int i = 0; i < SET_UPS && (!ret || ret == -EBUSY); i += !ret) {
		ret = set_params(ctl, &params);
		reset(ctl);
	}
	*is_over = true;
	return !!ret;
}

static int kernel_events(void)
{
	struct sockaddr_nl address = { .nl_family = AF_NETLINK, .nl_groups = 1 };
	int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_KOBJECT_UEVENT);
	int room = 64 * MIB;

	need(fd >= 0 && !setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)) &&
	     !bind(fd, (void *)&address, sizeof(address)), "the kernel's events");
	return fd;
}

/* udev would work for minutes on so many events, and keep later tests waiting. */
static void udev_stop(void)
{
	shell("systemctl stop 'systemd-udevd*' 2>/dev/null");
}

static void udev_start(void)
{
	if (getpid() == test_main_pid)
		shell("systemctl start systemd-udevd.service 2>/dev/null");
}

/* How many of those that have come have the UUID. */
static int count(int fd)
{
	char event[8192];
	ssize_t length;
	int n = 0;

	while ((length = recv(fd, event, sizeof(event), 0)) > 0)
		n += !!memmem(event, length, "SYNTH_UUID=" UUID, sizeof("SYNTH_UUID=" UUID) - 1);
	need(errno == EAGAIN, "events");
	return n;
}

int main(void)
{
	int events, fd, sent = 0, got = 0;
	char path[64];
	pid_t pid;

	test_begin();
	is_over = memory_new(sizeof(*is_over));
	dev = device_new();
	snprintf(path, sizeof(path), "/sys/block/abuse%u/uevent", dev.number);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	need(fd >= 0, "%s", path);
	atexit(udev_start);
	udev_stop();
	events = kernel_events();
	pid = child_start(configure_and_reset, NULL);
	for (; !*is_over; sent++) {
		need(write(fd, "change " UUID, sizeof("change " UUID) - 1) > 0, "an event");
		got += count(events);
	}
	is(child_wait(pid), 0, "the loop");
	got += count(events);
	is(got, sent, "events that were sent");
	return done();
}
