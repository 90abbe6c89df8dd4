// SPDX-License-Identifier: GPL-2.0-only
/* 5.13: bdev_disk_changed() takes the disk. */
int (*fn)(struct gendisk *, bool) = bdev_disk_changed;

(void)fn;
