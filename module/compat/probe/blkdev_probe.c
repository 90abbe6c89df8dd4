// SPDX-License-Identifier: GPL-2.0-only
// Copyright (C) 2026 the abuse authors
/* 5.11: __register_blkdev() takes the function that creates missing devices. */
int (*fn)(unsigned int, const char *, void (*)(dev_t)) = __register_blkdev;

(void)fn;
