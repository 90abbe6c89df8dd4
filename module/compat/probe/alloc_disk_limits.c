// SPDX-License-Identifier: GPL-2.0-only
// Copyright (C) 2026 the abuse authors
/* 6.9: blk_mq_alloc_disk() takes the queue limits; which ones these are is limit_features. */
(void)blk_mq_alloc_disk((struct blk_mq_tag_set *)NULL,
			(struct queue_limits *)NULL, (void *)NULL);
