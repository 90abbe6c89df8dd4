// SPDX-License-Identifier: GPL-2.0-only
// Copyright (C) 2026 the abuse authors
/* 5.11: disk->part0 is the whole disk's block_device, not a struct hd_struct. */
struct block_device **bdev = &((struct gendisk *)NULL)->part0;

(void)bdev;
