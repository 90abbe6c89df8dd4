// SPDX-License-Identifier: GPL-2.0-only
// Copyright (C) 2026 the abuse authors
/* Until 6.14: merging has to be asked for with BLK_MQ_F_SHOULD_MERGE, later it is the rule. */
(void)BLK_MQ_F_SHOULD_MERGE;
