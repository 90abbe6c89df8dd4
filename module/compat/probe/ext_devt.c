// SPDX-License-Identifier: GPL-2.0-only
// Copyright (C) 2026 the abuse authors
/* Until 5.16: more partitions than minors have to be asked for. */
(void)GENHD_FL_EXT_DEVT;
