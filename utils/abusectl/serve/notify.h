/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tells systemd, if that started this process and wants to know, how far it is.
 * Without libsystemd at build time it is told nothing.
 */
#ifndef ABUSECTL_NOTIFY_H
#define ABUSECTL_NOTIFY_H

#if HAVE_LIBSYSTEMD
/* Serving has begun; "systemctl status" shows @status. */
void notify_ready(const char *status);

/* The process completes the requests that it holds, and ends. */
void notify_stopping(void);
#else
static inline void notify_ready(const char *status)
{
	(void)status;
}

static inline void notify_stopping(void)
{
}
#endif

#endif /* ABUSECTL_NOTIFY_H */
