// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (C) 2026 the abuse authors
/*
 * One request through the 2009 calls: fetched and printed, and for put answered
 * with zeroes (READ) or by dropping its bytes (WRITE). Printed as in 2009.
 */
#include "cmd.h"

#include <errno.h>
#include <libabuse.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define MAX_VECS	256

static const char *command_name(uint32_t command)
{
	switch (command) {
	case ABUSE_READ:
		return "READ";
	case ABUSE_WRITE:
		return "WRITE";
	}
	return "SYNC_NOTIFICATION";
}

static void print_bio(const struct abuse_xfr_hdr *hdr, const struct abuse_vec *vecs)
{
	unsigned int i;

	printf("%s\n", command_name(hdr->ab_command));
	printf("sector = %llu\n", (unsigned long long)hdr->ab_sector);
	printf("vcnt = %u\n", hdr->ab_vec_count);
	for (i = 0; i < hdr->ab_vec_count; i++)
		printf("len%u = %u, offset = %x\n", i, vecs[i].ab_len,
		       vecs[i].ab_offset);
}

/* Every vec gets the same zeroed memory, since the data is ignored. */
static int put_bio(int fd, struct abuse_xfr_hdr *hdr, struct abuse_vec *vecs)
{
	size_t largest = 1;
	unsigned int i;
	void *bytes;
	int ret;

	for (i = 0; i < hdr->ab_vec_count; i++)
		if (vecs[i].ab_len > largest)
			largest = vecs[i].ab_len;
	bytes = calloc(1, largest);
	if (!bytes)
		return -ENOMEM;
	for (i = 0; i < hdr->ab_vec_count; i++)
		vecs[i].ab_address = (uintptr_t)bytes;
	hdr->ab_result = ABUSE_RESULT_OKAY;
	ret = abuse_ctl_put_bio(fd, hdr);
	free(bytes);
	return ret;
}

static int bio_failed(unsigned int number, const char *operation, int err)
{
	const char *name = device_name(number);

	switch (err) {
	case ENOMSG:
		return failed(name, "cannot %s: no request is there; "
			      "'abusectl poll %u' waits for one", operation, number);
	case EBUSY:
		return failed(name, "cannot %s: a server holds that request",
			      operation);
	case EOPNOTSUPP:
		return failed(name, "cannot %s: the device is configured with discard, "
			      "write_zeroes or fua; use 'abusectl server %u'",
			      operation, number);
	}
	return device_failed(number, operation, err);
}

int bio_get(const char *text, bool put)
{
	struct abuse_vec vecs[MAX_VECS];
	struct abuse_xfr_hdr hdr = { .ab_transfer_address = (uintptr_t)vecs };
	unsigned int number;
	int fd, ret, status = EXIT_OK;

	fd = device_open(text, &number);
	if (fd < 0)
		return EXIT_FAILED;
	ret = abuse_ctl_get_bio(fd, &hdr);
	if (ret < 0) {
		status = bio_failed(number, "get a request", -ret);
	} else {
		print_bio(&hdr, vecs);
		ret = put ? put_bio(fd, &hdr, vecs) : 0;
		if (ret < 0)
			status = bio_failed(number, "put the request", -ret);
	}
	close(fd);
	return status;
}
