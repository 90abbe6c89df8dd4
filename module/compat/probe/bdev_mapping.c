// SPDX-License-Identifier: GPL-2.0-only
// Copyright (C) 2026 the abuse authors
/* 6.10: a block_device shows its page cache, but no longer its inode. */
struct address_space **mapping = &((struct block_device *)NULL)->bd_mapping;

(void)mapping;
