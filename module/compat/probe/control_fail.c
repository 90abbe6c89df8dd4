// SPDX-License-Identifier: GPL-2.0-only
// Copyright (C) 2026 the abuse authors
/* No version: proves that the compiler refuses what is not there. */
(void)((struct gendisk *)NULL)->abuse_no_such_member;
