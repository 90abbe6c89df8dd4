// SPDX-License-Identifier: GPL-2.0-only
// Copyright (C) 2026 the abuse authors
/* 5.15 to 6.5: disk_force_media_change() takes events. Only from 6.4 on, and in older branches since, it moves diskseq. */
bool (*fn)(struct gendisk *, unsigned int) = disk_force_media_change;

(void)fn;
