// SPDX-License-Identifier: GPL-2.0-only
// Copyright (C) 2026 the abuse authors
/* 6.2: the hooks of checkers know a copy's beginning and its end. */
instrument_copy_from_user_before(NULL, NULL, 0);
instrument_copy_from_user_after(NULL, NULL, 0, 0);
