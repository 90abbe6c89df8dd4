// SPDX-License-Identifier: GPL-2.0-only
// Copyright (C) 2026 the abuse authors
/* 5.19: bio_blkcg_css() replaces bio_blkcg(); unused where there is no blkcg. */
struct cgroup_subsys_state *(*fn)(struct bio *) = bio_blkcg_css;

(void)fn;
