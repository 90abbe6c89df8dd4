// SPDX-License-Identifier: GPL-2.0-only
// Copyright (C) 2026 the abuse authors
/* 6.17: a limit says how much a zeroing that unmaps may cover. */
struct queue_limits lim = { .max_hw_wzeroes_unmap_sectors = 0 };

(void)lim;
