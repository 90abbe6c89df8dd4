// SPDX-License-Identifier: GPL-2.0-only
// Copyright (C) 2026 the abuse authors
/* 5.14: blk_mq_alloc_disk(), a macro, makes disk and queue in one go; how they end is cleanup_disk. */
#ifndef blk_mq_alloc_disk
#error not there
#endif
