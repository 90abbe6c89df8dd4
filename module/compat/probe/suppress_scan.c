// SPDX-License-Identifier: GPL-2.0-only
// Copyright (C) 2026 the abuse authors
/* 5.19: GD_SUPPRESS_PART_SCAN forbids to ask for a partition scan; later kernels skip one that was asked for, too. */
(void)GD_SUPPRESS_PART_SCAN;
