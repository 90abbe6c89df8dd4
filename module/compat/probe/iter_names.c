// SPDX-License-Identifier: GPL-2.0-only
/* 6.1: iterators' directions are called ITER_SOURCE and ITER_DEST. */
(void)(ITER_SOURCE + ITER_DEST);
