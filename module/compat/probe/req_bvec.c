// SPDX-License-Identifier: GPL-2.0-only
/* 5.1: the first piece of a request, which may be longer than a page. */
(void)&req_bvec;
