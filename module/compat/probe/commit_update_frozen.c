// SPDX-License-Identifier: GPL-2.0-only
// Copyright (C) 2026 the abuse authors
/* 6.14, and older branches since: queue_limits_commit_update_frozen() freezes in the right order. */
int (*fn)(struct request_queue *, struct queue_limits *) = queue_limits_commit_update_frozen;

(void)fn;
