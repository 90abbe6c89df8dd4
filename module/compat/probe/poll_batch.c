// SPDX-License-Identifier: GPL-2.0-only
// Copyright (C) 2026 the abuse authors
/* 5.16: blk_mq_ops.poll may complete requests as a batch, which it is given. */
int (*fn)(struct blk_mq_hw_ctx *, struct io_comp_batch *) = ((struct blk_mq_ops *)NULL)->poll;

(void)fn;
