// SPDX-License-Identifier: GPL-2.0-only
// Copyright (C) 2026 the abuse authors
/* 6.6, and older branches since: kiocb_start_write(), kiocb_end_write(). */
void (*fn)(struct kiocb *) = kiocb_end_write;

(void)fn;
