/* SPDX-License-Identifier: GPL-2.0-only */
/* Copyright (C) 2026 the abuse authors */
/*
 * Numbers in, errno out: what params.c checks. No locks, no user pointers, so
 * that tests/unit compiles it in user space.
 */
#ifndef ABUSE_PARAMS_H
#define ABUSE_PARAMS_H

#include <linux/abuse.h>

#define ABUSE_MAX_QUEUE_2009	512	/* SET_STATUS */
#define ABUSE_MAX_HW_QUEUES	64
#define ABUSE_DEFAULT_DEPTH	512
#define ABUSE_MAX_DEPTH		1024	/* 64 * 1024 slots fit an id's 16 bits */
#define ABUSE_MIN_TIMEOUT_NS	1000000

#define ABUSE_ALL_FEATURES	(ABUSE_F_WRITE_CACHE | ABUSE_F_FUA | \
				 ABUSE_F_DISCARD | ABUSE_F_WRITE_ZEROES | \
				 ABUSE_F_ROTATIONAL)
/* Abilities of this kernel. */
struct abuse_abilities {
	unsigned int page_size;
	unsigned int max_block;		/* bytes */
	int atomic;			/* it knows atomic writes */
};

#define ABUSE_ALL_OPS		(1ULL << ABUSE_OP_READ | \
				 1ULL << ABUSE_OP_WRITE | \
				 1ULL << ABUSE_OP_FLUSH | \
				 1ULL << ABUSE_OP_DISCARD | \
				 1ULL << ABUSE_OP_WRITE_ZEROES)
/* Features that the structs of 2009 cannot express. */
#define ABUSE_BEYOND_2009	(ABUSE_F_FUA | ABUSE_F_DISCARD | \
				 ABUSE_F_WRITE_ZEROES | ABUSE_F_ATOMIC)

int abuse_name_check(const char *name);
int abuse_add_check(struct abuse_add *add);
int abuse_params_complete(struct abuse_params *params,
			  unsigned int nr_slots,
			  const struct abuse_abilities *kernel);
int abuse_params_from_info(const struct abuse_info *info,
			   struct abuse_params *params);
int abuse_params_merge(const struct abuse_params *now,
		       struct abuse_params *next, unsigned int nr_slots);
int abuse_result_check(unsigned int op, unsigned int result);

#endif /* ABUSE_PARAMS_H */
