// SPDX-License-Identifier: GPL-2.0-only
// Copyright (C) 2026 the abuse authors
/* 6.10: each super block counts who wants to permit accesses to its files. */
bool (*fn)(struct super_block *, int) = fsnotify_sb_has_priority_watchers;

(void)fn;
