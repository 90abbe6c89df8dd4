/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * Tells systemd, if that started this process and wants to know, how far it is.
 * Without libsystemd at build time it is told nothing.
 */
#ifndef ABUSECTL_NOTIFY_H
#define ABUSECTL_NOTIFY_H

#include <stdbool.h>
#include <stdint.h>

#if HAVE_LIBSYSTEMD
/* Does systemd listen? */
bool notify_is_wanted(void);

/* The watchdog of systemd wants a call of notify_alive() every so many nanoseconds. 0: no watchdog. */
int64_t notify_interval(void);
void notify_alive(void);

/* Serving has begun; "systemctl status" shows @status. */
void notify_ready(const char *status);

/* @pid serves in place of the main process, whose watchdog keeps its interval: see notify_take_over(). */
void notify_main_pid(int pid);

/* This process will be such a one: that it serves is not for it to tell. */
void notify_take_over(void);

/* The process completes the requests that it holds, and ends. */
void notify_stopping(void);
#else
static inline bool notify_is_wanted(void)
{
	return false;
}

static inline int64_t notify_interval(void)
{
	return 0;
}

static inline void notify_alive(void)
{
}

static inline void notify_ready(const char *status)
{
	(void)status;
}

static inline void notify_main_pid(int pid)
{
	(void)pid;
}

static inline void notify_take_over(void)
{
}

static inline void notify_stopping(void)
{
}
#endif

#endif /* ABUSECTL_NOTIFY_H */
