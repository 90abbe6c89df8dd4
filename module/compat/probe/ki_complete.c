// SPDX-License-Identifier: GPL-2.0-only
// Copyright (C) 2026 the abuse authors
/* 5.16: kiocb.ki_complete lost its second result. */
void (*fn)(struct kiocb *, long) = ((struct kiocb *)NULL)->ki_complete;

(void)fn;
