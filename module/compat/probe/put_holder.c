// SPDX-License-Identifier: GPL-2.0-only
// Copyright (C) 2026 the abuse authors
/* 6.5 and 6.6: blkdev_put() takes the holder instead of the mode. */
void (*fn)(struct block_device *, void *) = blkdev_put;

(void)fn;
