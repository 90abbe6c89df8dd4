// SPDX-License-Identifier: GPL-2.0-only
// Copyright (C) 2026 the abuse authors
/* 5.17: GENHD_FL_NO_PART replaces GENHD_FL_NO_PART_SCAN and forbids partitions altogether. */
(void)GENHD_FL_NO_PART;
