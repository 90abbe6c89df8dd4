// SPDX-License-Identifier: GPL-2.0-only
// Copyright (C) 2026 the abuse authors
/* 5.20, called 6.0: blk_mq_ops.timeout lost its argument "reserved". */
enum blk_eh_timer_return (*fn)(struct request *) = ((struct blk_mq_ops *)NULL)->timeout;

(void)fn;
