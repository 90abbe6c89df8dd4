// SPDX-License-Identifier: GPL-2.0-only
// Copyright (C) 2026 the abuse authors
/* 5.16: what makes an ordinary bio of a polled one; before, bio_put() looks at no flag that asks for it. */
bio_clear_polled((struct bio *)NULL);
