// SPDX-License-Identifier: GPL-2.0-only
// Copyright (C) 2026 the abuse authors
/* 6.9: an open block device is a file; bdev_file_open_by_dev() replaces blkdev_get_by_dev(). */
struct file *(*fn)(dev_t, blk_mode_t, void *, const struct blk_holder_ops *) = bdev_file_open_by_dev;

(void)fn;
