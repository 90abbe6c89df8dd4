/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/* System calls of a simulated server are the simulation's; see COW_SYSTEM_CALLS in cow.h. */
static ssize_t sim_pread(int fd, void *to, size_t length, off_t offset);
static ssize_t sim_pwrite(int fd, const void *from, size_t length, off_t offset);
static int sim_fallocate(int fd, int mode, off_t offset, off_t length);
static int sim_fdatasync(int fd);

#define pread(...)	sim_pread(__VA_ARGS__)
#define pwrite(...)	sim_pwrite(__VA_ARGS__)
#define fallocate(...)	sim_fallocate(__VA_ARGS__)
#define fdatasync(...)	sim_fdatasync(__VA_ARGS__)
