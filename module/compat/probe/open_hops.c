// SPDX-License-Identifier: GPL-2.0-only
// Copyright (C) 2026 the abuse authors
/* 6.5 and 6.6: blkdev_get_by_dev() takes holder operations. */
struct block_device *(*fn)(dev_t, blk_mode_t, void *, const struct blk_holder_ops *) = blkdev_get_by_dev;

(void)fn;
