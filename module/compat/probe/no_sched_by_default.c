// SPDX-License-Identifier: GPL-2.0-only
// Copyright (C) 2026 the abuse authors
/* 5.15: BLK_MQ_F_NO_SCHED_BY_DEFAULT starts without a scheduler but allows to choose one. */
(void)BLK_MQ_F_NO_SCHED_BY_DEFAULT;
