// SPDX-License-Identifier: GPL-2.0-only
// Copyright (C) 2026 the abuse authors
/* 6.7 and 6.8: bdev_open_by_dev() opens a block device. */
struct bdev_handle *(*fn)(dev_t, blk_mode_t, void *, const struct blk_holder_ops *) = bdev_open_by_dev;

(void)fn;
