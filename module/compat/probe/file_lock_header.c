// SPDX-License-Identifier: GPL-2.0-only
// Copyright (C) 2026 the abuse authors
/* 6.3: locks and leases have a header of their own. */
#if !__has_include(<linux/filelock.h>)
#error not there
#endif
