// SPDX-License-Identifier: GPL-2.0-only
// Copyright (C) 2026 the abuse authors
/* 5.16: fault_in_readable() and fault_in_safe_writeable() say how many bytes are left. */
size_t (*readable)(const char __user *, size_t) = fault_in_readable;
size_t (*writeable)(const char __user *, size_t) = fault_in_safe_writeable;

(void)readable;
(void)writeable;
