// SPDX-License-Identifier: GPL-2.0-only
// Copyright (C) 2026 the abuse authors
/* 6.5: block_device_operations.open takes the disk. */
int (*fn)(struct gendisk *, blk_mode_t) = ((struct block_device_operations *)NULL)->open;

(void)fn;
