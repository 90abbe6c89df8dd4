// SPDX-License-Identifier: GPL-2.0-only
// Copyright (C) 2026 the abuse authors
/* 5.17: a driver may take a whole plug of requests at once. Their order, and the type of the list, is rq_list. */
(void)((struct blk_mq_ops *)NULL)->queue_rqs;
