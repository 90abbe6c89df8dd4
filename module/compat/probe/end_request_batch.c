// SPDX-License-Identifier: GPL-2.0-only
// Copyright (C) 2026 the abuse authors
/* 5.16: requests that succeeded are ended as a batch. */
(void)&blk_mq_end_request_batch;
