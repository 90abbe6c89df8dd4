// SPDX-License-Identifier: GPL-2.0-only
// Copyright (C) 2026 the abuse authors
/* 6.6: disk_force_media_change() takes the disk alone, and moves diskseq. */
void (*fn)(struct gendisk *) = disk_force_media_change;

(void)fn;
