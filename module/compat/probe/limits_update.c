// SPDX-License-Identifier: GPL-2.0-only
// Copyright (C) 2026 the abuse authors
/* 6.9: queue_limits_start_update() and queue_limits_commit_update() change the limits as a whole. */
int (*fn)(struct request_queue *, struct queue_limits *) = queue_limits_commit_update;

(void)fn;
