// SPDX-License-Identifier: GPL-2.0-only
// Copyright (C) 2026 the abuse authors
/* 5.20, called 6.0: blk_mq_ops.map_queues returns nothing; before, 0. */
void (*fn)(struct blk_mq_tag_set *) = ((struct blk_mq_ops *)NULL)->map_queues;

(void)fn;
