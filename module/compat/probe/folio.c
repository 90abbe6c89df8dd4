// SPDX-License-Identifier: GPL-2.0-only
// Copyright (C) 2026 the abuse authors
/* 5.16: the page cache consists of folios. */
(void)filemap_get_folio((struct address_space *)NULL, 0);
