// SPDX-License-Identifier: GPL-2.0-only
// Copyright (C) 2026 the abuse authors
/* 6.5: block_device_operations.release takes the disk alone. */
void (*fn)(struct gendisk *) = ((struct block_device_operations *)NULL)->release;

(void)fn;
