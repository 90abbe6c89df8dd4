// SPDX-License-Identifier: GPL-2.0-only
// Copyright (C) 2026 the abuse authors
/* 5.19: disk_openers() counts the openers. */
unsigned int (*fn)(struct gendisk *) = disk_openers;

(void)fn;
