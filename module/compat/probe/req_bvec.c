// SPDX-License-Identifier: GPL-2.0-only
// Copyright (C) 2026 the abuse authors
/* 5.1: the first piece of a request, which may be longer than a page. */
(void)&req_bvec;
