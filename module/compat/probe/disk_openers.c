// SPDX-License-Identifier: GPL-2.0-only
/* 5.19: disk_openers() counts the openers. */
unsigned int (*fn)(struct gendisk *) = disk_openers;

(void)fn;
