// SPDX-License-Identifier: GPL-2.0-only
// Copyright (C) 2026 the abuse authors
/* All versions: proves that the compiler accepts what is right. */
struct request_queue *q = ((struct gendisk *)NULL)->queue;

(void)q;
