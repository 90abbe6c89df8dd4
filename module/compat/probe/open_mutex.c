// SPDX-License-Identifier: GPL-2.0-only
// Copyright (C) 2026 the abuse authors
/* 5.14: the open lock of a disk is disk->open_mutex, before it was its bdev's bd_mutex. */
struct mutex *lock = &((struct gendisk *)NULL)->open_mutex;

(void)lock;
