/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * A command number that is not of the interface is ENOTTY, on a control node and
 * on /dev/abuse-control, whatever size or direction is coded into it.
 */
/* build: m32 */
#include "abuse.h"

int main(void)
{
	static const unsigned long elsewhere[] = {
		0, 0x26, 0x4100, 0x411f, 0x4130, 0x41ff, 0x4226,
		_IOWR('A', 0x26, struct abuse_exchange),
		_IOR('A', 0x28, struct abuse_params), _IOW('A', 0x21, int),
		_IOWR('A', 0x2d, struct abuse_add), BLKGETSIZE64, 0xffffffff,
	};
	struct device d;
	char *memory = memory_new(65536);
	int fd, control;

	test_begin();
	d = device_new();
	fd = server_open(&d);
	control = open("/dev/abuse-control", O_RDWR | O_CLOEXEC);
	need(control >= 0, "open /dev/abuse-control");

	for (unsigned long cmd = 0x412d; cmd <= 0x412f; cmd++)
		is(call(fd, cmd, memory), -ENOTTY, "control node, 0x412d ..");
	for (unsigned long cmd = 0x4120; cmd <= 0x412c; cmd++)
		is(call(control, cmd, memory), -ENOTTY, "abuse-control, 0x4120 ..");
	for (size_t i = 0; i < sizeof(elsewhere) / sizeof(*elsewhere); i++) {
		int ret = call(fd, elsewhere[i], memory);

		ok(ret == -ENOTTY, "control node, 0x%lx (%d)", elsewhere[i], ret);
		ret = call(control, elsewhere[i], memory);
		ok(ret == -ENOTTY, "abuse-control, 0x%lx (%d)", elsewhere[i], ret);
	}
	return done();
}
