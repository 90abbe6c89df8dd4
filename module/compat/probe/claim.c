// SPDX-License-Identifier: GPL-2.0-only
// Copyright (C) 2026 the abuse authors
/* 5.11: bd_prepare_to_claim() finds the whole disk itself; 6.5 added holder operations. */
int (*fn)(struct block_device *, void *) = bd_prepare_to_claim;

(void)fn;
