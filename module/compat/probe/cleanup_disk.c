// SPDX-License-Identifier: GPL-2.0-only
// Copyright (C) 2026 the abuse authors
/* 5.14 to 5.19: put_disk() does not end the queue that came with a disk, this does. */
(void)&blk_cleanup_disk;
