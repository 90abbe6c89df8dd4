/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * A set-up remembers the label of its store: GET_PARAMS and sysfs show it, a live
 * change keeps it and cannot replace it, RESET removes it.
 */
/* build: m32 */
#include "abuse.h"

/* GET_PARAMS and sysfs agree on the label. */
static bool label_is(const struct device *d, int fd, const char *label)
{
	struct abuse_params p;

	return !get_params(fd, &p) && !strcmp(p.store, label) &&
	       !strcmp(attribute(d, "store"), label);
}

static struct abuse_params labelled(uint64_t capacity, const char *label)
{
	struct abuse_params p = params_of(capacity);

	need(strlen(label) < sizeof(p.store), "a label of up to 63 bytes");
	strcpy(p.store, label);
	return p;
}

int main(void)
{
	struct abuse_params p;
	struct abuse_info info;
	struct device d;
	char longest[ABUSE_STORE_LEN];
	int fd;

	test_begin();
	d = device_new();
	fd = server_open(&d);
	ok(label_is(&d, fd, ""), "an empty device has no label");

	p = labelled(1 * MIB, "file:/srv/a disk");
	is(set_params(fd, &p), 0, "SET_PARAMS with a label");
	ok(label_is(&d, fd, "file:/srv/a disk"), "it is shown (%s)",
	   attribute(&d, "store"));

	p = params_of(2 * MIB);
	is(set_params(fd, &p), 0, "a live change without a label");
	ok(label_is(&d, fd, "file:/srv/a disk"), "keeps the label");
	p = labelled(3 * MIB, "file:/srv/a disk");
	is(set_params(fd, &p), 0, "a live change with the same label");
	p = labelled(4 * MIB, "file:/srv/another");
	is(set_params(fd, &p), -EBUSY, "a live change with another label");
	p = labelled(4 * MIB, "file:/srv/a disk and more");
	is(set_params(fd, &p), -EBUSY, "with a longer label");
	p = labelled(4 * MIB, "file:");
	is(set_params(fd, &p), -EBUSY, "with a shorter label");
	is(disk_size(&d), 3 * MIB, "neither changed anything");
	ok(label_is(&d, fd, "file:/srv/a disk"), "nor the label");

	is(call(fd, ABUSE_GET_STATUS, &info), 0, "GET_STATUS");
	info.ab_flags |= ABUSE_FLAGS_RECONNECT;
	is(call(fd, ABUSE_SET_STATUS, &info), 0, "SET_STATUS with RECONNECT");
	ok(label_is(&d, fd, "file:/srv/a disk"), "keeps the label");

	is(reset(fd), 0, "RESET");
	ok(label_is(&d, fd, ""), "removes the label");
	p = params_of(1 * MIB);
	is(set_params(fd, &p), 0, "SET_PARAMS without a label");
	ok(label_is(&d, fd, ""), "there is none");
	p = labelled(0, "mem");
	is(set_params(fd, &p), -EBUSY, "a set-up without a label gets none later");

	is(reset(fd), 0, "RESET");
	memset(longest, 0xc3, sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = 0;
	p = labelled(1 * MIB, longest);
	is(set_params(fd, &p), 0, "SET_PARAMS with 63 bytes that are no ASCII");
	ok(label_is(&d, fd, longest), "they come back as they were");
	is(reset(fd), 0, "RESET");
	return done();
}
