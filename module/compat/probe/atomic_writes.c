// SPDX-License-Identifier: GPL-2.0-only
// Copyright (C) 2026 the abuse authors
/* 6.11: a queue has limits for atomic writes, and requests the flag REQ_ATOMIC. */
struct queue_limits lim = {
	.atomic_write_hw_max = 0, .atomic_write_hw_boundary = 0,
	.atomic_write_hw_unit_min = 0, .atomic_write_hw_unit_max = 0,
};

(void)lim;
(void)REQ_ATOMIC;
