// SPDX-License-Identifier: GPL-2.0-only
// Copyright (C) 2026 the abuse authors
/* 5.15: the backing_dev_info moved from the queue to the disk. */
struct backing_dev_info *bdi = ((struct gendisk *)NULL)->bdi;

(void)bdi;
