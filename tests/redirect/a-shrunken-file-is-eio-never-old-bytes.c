/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * A READ redirected to a file that ends within or before it fails with EIO, buffered and
 * direct; one that ends just there does not.
 */
#include "redirect.h"

#define SIZE	(1 * MIB)

int main(void)
{
	static const int flags[] = { 0, O_DIRECT };
	struct redirector *r;
	struct device d;
	int file, ctl;

	test_begin();
	for (unsigned int i = 0; i < 2; i++) {
		file = file_new("/var/tmp", SIZE, 3, O_RDWR | flags[i]);
		d = device_new();
		set_up(&d, SIZE, 0);
		r = redirector_start(&d, file, 0);
		need(!ftruncate(file, SIZE / 2 + 512), "a shorter file");
		is(io_end(io_read(&d, SIZE / 2, 4096)), EIO, "a read across its end");
		is(io_end(io_read(&d, SIZE - 4096, 4096)), EIO, "one behind it");
		is(io_end(io_read(&d, 0, MIB)), EIO, "a large one");
		is(io_end(io_read(&d, SIZE / 2, 512)), 0, "one up to its end");
		is(io_end(io_write(&d, SIZE - 4096, 4096, 4)), 0, "a write makes it longer");
		ok(file_has(file, SIZE - 4096, 4096, 4), "its bytes are there");
		is(io_end(io_read(&d, SIZE / 2, 4096)), 0, "now the file goes on there");
		redirector_stop(r);
		ctl = server_open(&d);
		is(reset(ctl), 0, "RESET");
		close(ctl);
		close(file);
	}
	return done();
}
