// SPDX-License-Identifier: GPL-2.0-only
// Copyright (C) 2026 the abuse authors
/* 5.15: device_add_disk() reports failure. */
int (*fn)(struct device *, struct gendisk *, const struct attribute_group **) = device_add_disk;

(void)fn;
