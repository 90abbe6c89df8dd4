/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * When a server leaves. At once, if it gets SIGTERM; but while the machine shuts down, and if it has
 * the root file system, not before its disk is in use no more: what is mounted has its last data
 * still to write.
 */
#ifndef ABUSECTL_LEAVE_H
#define ABUSECTL_LEAVE_H

#include "backends/backend.h"

#include <signal.h>
#include <stdbool.h>

#define LEAVE_LOOK	20000000	/* nanoseconds between two looks at the disk's use */

/*
 * Adds SIGTERM, SIGINT and SIGHUP, unless nohup(1) has this process ignore that. At shutdown systemd sends
 * SIGHUP to the processes of a session, after SIGTERM, and means the same.
 */
void leave_add_signals(sigset_t *signals);

/* After SIGTERM: does the use of the disk decide? If so, this process is marked: leave_mark(). */
bool leave_is_bound(const struct serving *serving);

/* Does the machine shut down? May start a process to find out. */
bool leave_is_shutdown(void);

/* Is the disk in use still? */
bool leave_must_wait(const struct serving *serving);

/* From now on the last kill of a shutdown, and of a change of the root directory, spares this process. */
void leave_mark(void);

#endif /* ABUSECTL_LEAVE_H */
