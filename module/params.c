// SPDX-License-Identifier: GPL-2.0-only
// Copyright (C) 2026 the abuse authors
/*
 * Checks and defaults of everything user space may ask for. Pure functions:
 * control.c and legacy.c enter with a copy of the caller's struct and hand on
 * to device.c what is complete and in range.
 */
#ifdef __KERNEL__
#include <linux/errno.h>
#include <linux/string.h>
#else
#include <errno.h>
#include <string.h>
#endif

#include "params.h"

#define ABUSE_SECTOR		512U
#define ABUSE_DEFAULT_DISCARD	(2ULL << 30)
/* blk-mq counts a request's bytes in 32 bits, in whole sectors */
#define ABUSE_MAX_RANGE		(0xffffffffULL & ~(ABUSE_SECTOR - 1ULL))
/* sectors are signed 64-bit byte offsets to the page cache */
#define ABUSE_MAX_CAPACITY	0x7fffffffffffffffULL

static int abuse_is_power_of_two(unsigned long long n)
{
	return n && !(n & (n - 1));
}

static int abuse_is_name_char(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
	       (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}

static int abuse_is_params_flag_set(const __u8 *uuid)
{
	unsigned int i;

	for (i = 0; i < 16; i++)
		if (uuid[i])
			return 1;
	return 0;
}

/* "" means no name, and is valid. */
int abuse_name_check(const char *name)
{
	unsigned int i;

	for (i = 0; i < ABUSE_NAME_LEN; i++) {
		if (!name[i])
			return 0;
		if (!abuse_is_name_char(name[i]))
			return -EINVAL;
	}
	return -EINVAL;
}

/* "" means no label, and is valid. Without control characters: sysfs shows it in one line. */
static int abuse_check_store(const char *store)
{
	unsigned int i;

	for (i = 0; i < ABUSE_STORE_LEN; i++) {
		if (!store[i])
			return 0;
		if ((unsigned char)store[i] < ' ' || store[i] == 0x7f)
			return -EINVAL;
	}
	return -EINVAL;
}

int abuse_add_check(struct abuse_add *add)
{
	if (add->flags & ~(ABUSE_ADD_OWNER | ABUSE_ADD_OPEN))
		return -EINVAL;
	if (!add->hw_queues)
		add->hw_queues = 1;
	if (!add->depth)
		add->depth = ABUSE_DEFAULT_DEPTH;
	if (add->hw_queues > ABUSE_MAX_HW_QUEUES ||
	    add->depth > ABUSE_MAX_DEPTH)
		return -EINVAL;
	return abuse_name_check(add->name);
}

static int abuse_check_block_sizes(struct abuse_params *p, unsigned int max_block)
{
	if (!p->logical_block_size)
		p->logical_block_size = ABUSE_SECTOR;
	if (!abuse_is_power_of_two(p->logical_block_size) ||
	    p->logical_block_size < ABUSE_SECTOR ||
	    p->logical_block_size > max_block)
		return -EINVAL;
	if (!p->physical_block_size)
		p->physical_block_size = p->logical_block_size;
	if (!abuse_is_power_of_two(p->physical_block_size) ||
	    p->physical_block_size < p->logical_block_size)
		return -EINVAL;
	if (!p->io_min)
		p->io_min = p->physical_block_size;
	if (p->io_min % p->physical_block_size || p->io_opt % p->io_min)
		return -EINVAL;
	return 0;
}

static int abuse_check_request_sizes(struct abuse_params *p, unsigned int page_size)
{
	if (!p->max_request)
		p->max_request = ABUSE_MAX_REQUEST;
	if (p->max_request < ABUSE_PAYLOAD_ALIGN ||
	    p->max_request < page_size ||
	    p->max_request < p->logical_block_size ||
	    p->max_request > ABUSE_MAX_REQUEST ||
	    p->max_request % ABUSE_PAYLOAD_ALIGN)
		return -EINVAL;
	if (p->chunk && (!abuse_is_power_of_two(p->chunk) ||
			 p->chunk < ABUSE_PAYLOAD_ALIGN ||
			 p->chunk < p->logical_block_size))
		return -EINVAL;
	return 0;
}

static int abuse_check_atomic(struct abuse_params *p, int can)
{
	if (!p->atomic_min && !p->atomic_max)
		return 0;
	if (!can)
		return -EOPNOTSUPP;
	if (!p->atomic_min)
		p->atomic_min = p->logical_block_size;
	if (!abuse_is_power_of_two(p->atomic_min) || !abuse_is_power_of_two(p->atomic_max) ||
	    p->atomic_min < p->logical_block_size ||
	    p->atomic_max < p->atomic_min || p->atomic_max > p->max_request ||
	    (p->chunk && p->atomic_max > p->chunk))
		return -EINVAL;
	return 0;
}

static int abuse_check_params_range(__u64 *bytes, unsigned int block_size)
{
	if (!*bytes)
		*bytes = ABUSE_DEFAULT_DISCARD;
	if (*bytes > ABUSE_MAX_RANGE || *bytes & (block_size - 1))
		return -EINVAL;
	return 0;
}

static int abuse_check_features(struct abuse_params *p)
{
	int err;

	if (p->features & ~ABUSE_ALL_FEATURES)
		return -EINVAL;
	if ((p->features & ABUSE_F_FUA) && !(p->features & ABUSE_F_WRITE_CACHE))
		return -EINVAL;
	if (p->features & ABUSE_F_DISCARD) {
		err = abuse_check_params_range(&p->max_discard, p->logical_block_size);
		if (err)
			return err;
		if (!p->discard_granularity)
			p->discard_granularity = p->physical_block_size;
		if (!abuse_is_power_of_two(p->discard_granularity) ||
		    p->discard_granularity < p->logical_block_size ||
		    p->max_discard < p->discard_granularity ||
		    p->max_discard < p->physical_block_size)
			return -EINVAL;
	} else if (p->max_discard || p->discard_granularity) {
		return -EINVAL;
	}
	if (p->features & ABUSE_F_WRITE_ZEROES)
		return abuse_check_params_range(&p->max_write_zeroes, p->logical_block_size);
	return p->max_write_zeroes ? -EINVAL : 0;
}

static int abuse_check_live_change(struct abuse_params *p, unsigned int nr_slots)
{
	if (p->flags & ~(ABUSE_PARAMS_READ_ONLY | ABUSE_PARAMS_SEALED))
		return -EINVAL;
	if (!p->queue_limit)
		p->queue_limit = nr_slots;
	if (p->queue_limit > nr_slots)
		return -EINVAL;
	if (p->timeout && p->timeout != -1 && p->timeout < ABUSE_MIN_TIMEOUT_NS)
		return -EINVAL;
	if (!p->capacity || p->capacity & (p->logical_block_size - 1))
		return -EINVAL;
	if (p->capacity > ABUSE_MAX_CAPACITY)
		return -EFBIG;
	return 0;
}

/* For an empty device: fills in defaults; 0 if all values are in range. */
int abuse_params_complete(struct abuse_params *params, unsigned int nr_slots,
			  const struct abuse_abilities *kernel)
{
	int err;

	if (params->reserved ||
	    (params->seal_uid && !(params->flags & ABUSE_PARAMS_SEALED)))
		return -EINVAL;
	err = abuse_name_check(params->name);
	if (!err)
		err = abuse_check_store(params->store);
	if (!err)
		err = abuse_check_block_sizes(params, kernel->max_block);
	if (!err)
		err = abuse_check_request_sizes(params, kernel->page_size);
	if (!err)
		err = abuse_check_atomic(params, kernel->atomic);
	if (!err)
		err = abuse_check_features(params);
	if (!err)
		err = abuse_check_live_change(params, nr_slots);
	return err;
}

/* Translates SET_STATUS to SET_PARAMS; fields that 2009 did not have get their defaults. */
int abuse_params_from_info(const struct abuse_info *info,
			   struct abuse_params *params)
{
	memset(params, 0, sizeof(*params));
	if (!info->ab_blocksize || !info->ab_max_queue ||
	    info->ab_max_queue > ABUSE_MAX_QUEUE_2009)
		return -EINVAL;
	params->size = sizeof(*params);
	params->capacity = info->ab_size;
	params->logical_block_size = info->ab_blocksize;
	params->queue_limit = info->ab_max_queue;
	if (info->ab_flags & ABUSE_FLAGS_READ_ONLY)
		params->flags = ABUSE_PARAMS_READ_ONLY;
	return 0;
}

#define MERGE_FIXED(field)						\
	do {								\
		if (!next->field)					\
			next->field = now->field;			\
		else if (next->field != now->field)			\
			return -EBUSY;					\
	} while (0)

/* For a device that is up: fills in next from now; only live fields may differ. */
int abuse_params_merge(const struct abuse_params *now,
		       struct abuse_params *next, unsigned int nr_slots)
{
	if (next->reserved || abuse_name_check(next->name) ||
	    abuse_check_store(next->store))
		return -EINVAL;
	if ((next->flags ^ now->flags) & ABUSE_PARAMS_SEALED)
		return -EBUSY;
	MERGE_FIXED(features);
	MERGE_FIXED(logical_block_size);
	MERGE_FIXED(physical_block_size);
	MERGE_FIXED(io_min);
	MERGE_FIXED(io_opt);
	MERGE_FIXED(max_request);
	MERGE_FIXED(chunk);
	MERGE_FIXED(max_discard);
	MERGE_FIXED(max_write_zeroes);
	MERGE_FIXED(discard_granularity);
	MERGE_FIXED(seal_uid);
	MERGE_FIXED(atomic_min);
	MERGE_FIXED(atomic_max);
	if (!next->name[0])
		memcpy(next->name, now->name, sizeof(next->name));
	else if (strcmp(next->name, now->name))
		return -EBUSY;
	if (!next->store[0])
		memcpy(next->store, now->store, sizeof(next->store));
	else if (strcmp(next->store, now->store))
		return -EBUSY;
	if (!abuse_is_params_flag_set(next->uuid))
		memcpy(next->uuid, now->uuid, sizeof(next->uuid));
	else if (memcmp(next->uuid, now->uuid, sizeof(next->uuid)))
		return -EBUSY;
	if (!next->capacity)
		next->capacity = now->capacity;
	if (!next->queue_limit)
		next->queue_limit = now->queue_limit;
	if (!next->timeout)
		next->timeout = now->timeout;
	return abuse_check_live_change(next, nr_slots);
}

/* May a server answer this operation with this errno? */
int abuse_result_check(unsigned int op, unsigned int result)
{
	switch (result) {
	case 0:
	case EIO:
	case ENOSPC:
	case ETIMEDOUT:
	case ENODATA:
	case EILSEQ:
	case ENOLINK:
		return 0;
	case EOPNOTSUPP:
		if (op == ABUSE_OP_DISCARD || op == ABUSE_OP_WRITE_ZEROES)
			return 0;
		return -EINVAL;
	default:
		return -EINVAL;
	}
}
