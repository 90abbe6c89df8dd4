// SPDX-License-Identifier: GPL-2.0-only
// Copyright (C) 2026 the abuse authors
/* Until 5.17, and from 6.9 on: a bio says how long its bytes will live. */
struct bio bio = { .bi_write_hint = 0 };

(void)bio;
