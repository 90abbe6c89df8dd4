// SPDX-License-Identifier: GPL-2.0-only
// Copyright (C) 2026 the abuse authors
/* 5.13, and older branches since: list_sort() compares const elements. */
void (*fn)(void *, struct list_head *,
	   int (*)(void *, const struct list_head *, const struct list_head *)) = list_sort;

(void)fn;
