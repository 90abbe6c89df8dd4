// SPDX-License-Identifier: GPL-2.0-only
// Copyright (C) 2026 the abuse authors
/* 6.4: class_create() lost its module argument. */
(void)class_create("");
