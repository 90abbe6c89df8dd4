// SPDX-License-Identifier: GPL-2.0-only
// Copyright (C) 2026 the abuse authors
/* 6.5: bd_prepare_to_claim() takes holder operations. */
int (*fn)(struct block_device *, void *, const struct blk_holder_ops *) = bd_prepare_to_claim;

(void)fn;
