// SPDX-License-Identifier: GPL-2.0-only
// Copyright (C) 2026 the abuse authors
/* 6.8: vfs_iocb_iter_write() calls kiocb_start_write() itself. Nothing in a header tells; this helper came with that. */
bool (*fn)(const struct file *) = file_write_not_started;

(void)fn;
