// SPDX-License-Identifier: GPL-2.0-only
// Copyright (C) 2026 the abuse authors
/* 5.13: bdev_disk_changed() takes the disk. */
int (*fn)(struct gendisk *, bool) = bdev_disk_changed;

(void)fn;
