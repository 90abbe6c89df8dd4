// SPDX-License-Identifier: GPL-2.0-only
// Copyright (C) 2026 the abuse authors
/* 6.13: lists of requests have a type with head and tail. */
struct rq_list list;

(void)list;
