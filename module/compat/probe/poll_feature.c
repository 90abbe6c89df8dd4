// SPDX-License-Identifier: GPL-2.0-only
// Copyright (C) 2026 the abuse authors
/* 6.11: whether submitters may poll is a feature in the limits, and the kernel refuses polled I/O without it. */
struct queue_limits lim = { .features = BLK_FEAT_POLL };

(void)lim;
