// SPDX-License-Identifier: GPL-2.0-only
// Copyright (C) 2026 the abuse authors
/* 5.11: short-lived mappings of pages that do not forbid to sleep. */
kunmap_local(kmap_local_page(NULL));
