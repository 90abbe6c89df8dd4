// SPDX-License-Identifier: GPL-2.0-only
// Copyright (C) 2026 the abuse authors
/* 5.4: the hooks of checkers for copies from and to user memory. */
(void)&instrument_copy_to_user;
