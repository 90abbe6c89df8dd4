/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/* away.c: how devices are removed and their servers end */
#ifndef ABUSECTL_AWAY_H
#define ABUSECTL_AWAY_H

#include <stdbool.h>

#define MOST_SERVERS	256	/* of one device */

/*
 * Removes the device that @text means. Waits a few seconds for programs, such as udev's,
 * that have the disk open for a moment. Reports failures and returns an exit status.
 */
int device_remove(const char *text, bool is_dry);

/* The same without a word: 0 or -errno. */
int device_remove_patiently(unsigned int number);

/* Does that process serve the device? */
bool device_is_server(unsigned int number, int pid);

struct stopping {
	int sig;
	int spared;			/* pid of a server that stays; 0: none */
	int milliseconds;		/* to wait at most */
	bool is_dry;
	bool only_tells;
};

/* Tells the servers of the device to end, and waits for them, unless it only tells. */
int device_stop(unsigned int number, const struct stopping *how);

#endif /* ABUSECTL_AWAY_H */
