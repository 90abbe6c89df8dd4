// SPDX-License-Identifier: GPL-2.0-only
// Copyright (C) 2026 the abuse authors
/* 5.19: GD_SUPPRESS_PART_SCAN turns partition scans off for a while. */
(void)GD_SUPPRESS_PART_SCAN;
