// SPDX-License-Identifier: GPL-2.0-only
// Copyright (C) 2026 the abuse authors
/* 5.15, and stable releases of 5.10: each super block counts all marks on it. */
struct super_block *sb = NULL;

(void)atomic_long_read(&sb->s_fsnotify_connectors);
