// SPDX-License-Identifier: GPL-2.0-only
/* 5.11: disk->part0 is the whole disk's block_device, not a struct hd_struct. */
struct block_device **bdev = &((struct gendisk *)NULL)->part0;

(void)bdev;
