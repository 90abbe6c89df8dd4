// SPDX-License-Identifier: GPL-2.0-only
// Copyright (C) 2026 the abuse authors
/* 6.17, and older branches since: workqueues say that they are bound to processors. */
(void)WQ_PERCPU;
