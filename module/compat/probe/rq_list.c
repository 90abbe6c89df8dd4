// SPDX-License-Identifier: GPL-2.0-only
// Copyright (C) 2026 the abuse authors
/* 6.13, and older branches since: lists of requests have a type, and a plug begins with the request that came first. */
struct rq_list list;

(void)list;
