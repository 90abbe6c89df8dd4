// SPDX-License-Identifier: GPL-2.0-only
// Copyright (C) 2026 the abuse authors
/* 5.17, and 5.15 since: GENHD_FL_NO_PART replaces GENHD_FL_NO_PART_SCAN. In 5.15 it forbids partitions, too. */
(void)GENHD_FL_NO_PART;
