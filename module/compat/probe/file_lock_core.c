// SPDX-License-Identifier: GPL-2.0-only
// Copyright (C) 2026 the abuse authors
/* 6.9: locks and leases have a struct of what they share, struct file_lock_core. */
struct file_lock lock;

(void)lock.c.flc_type;
