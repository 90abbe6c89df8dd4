// SPDX-License-Identifier: GPL-2.0-only
// Copyright (C) 2026 the abuse authors
/* 6.2: device_type.devnode takes a const device. */
char *(*fn)(const struct device *, umode_t *, kuid_t *, kgid_t *) = ((struct device_type *)NULL)->devnode;

(void)fn;
