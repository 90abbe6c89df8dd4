/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/* Makes the system calls of the backend cow the test's own; see COW_SYSTEM_CALLS in cow.h. */
static ssize_t power_pwrite(int fd, const void *from, size_t length, off_t offset);
static int power_fallocate(int fd, int mode, off_t offset, off_t length);
static int power_sync(int fd);

#define pwrite		power_pwrite
#define fallocate	power_fallocate
#define fdatasync	power_sync
