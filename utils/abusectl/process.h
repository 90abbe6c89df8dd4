/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * process.c: a process that is no child of this one. An open descriptor means the same process even if its
 * pid has become another's.
 */
#ifndef ABUSECTL_PROCESS_H
#define ABUSECTL_PROCESS_H

#include <stdbool.h>

/* A descriptor, or -1 with errno. ESRCH: this process cannot see such a pid. */
int process_open(int pid);

/* 0, or -1 with errno. ESRCH: it has ended. */
int process_signal(int fd, int sig);

/* Waits so long (< 0: for ever) for its end. Has it ended? So has a process that its parent has not waited for. */
bool process_await_end(int fd, int milliseconds);

#endif /* ABUSECTL_PROCESS_H */
