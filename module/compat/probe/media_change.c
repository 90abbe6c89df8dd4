// SPDX-License-Identifier: GPL-2.0-only
// Copyright (C) 2026 the abuse authors
/* 5.15: disk_force_media_change() moves diskseq. */
bool (*fn)(struct gendisk *, unsigned int) = disk_force_media_change;

(void)fn;
