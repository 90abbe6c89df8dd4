/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * An NBD server of our own: a process that gets a listening socket that nobody else can
 * reach (sd_listen_fds(3), which nbdkit and qemu-nbd know), and ends with us, however we
 * end. A device has one such server at most, since two would have different bytes.
 */
#ifndef ABUSECTL_NBD_CHILD_H
#define ABUSECTL_NBD_CHILD_H

#include "backends/backend.h"

struct nbd_child {
	const char *program;
	char uri[64];			/* where it is reached, by this process alone */
	pid_t pid;
	int socket;			/* the name of the socket, which is in no directory */
	bool has_relay;
	pthread_t relay;		/* passes on what it says */
	int said;			/* read end of a pipe from its standard error */
	bool is_over;			/* it has ended, */
	int status;			/* with that, as wait(2) has it */
};

/*
 * Starts @argv, in the root directory. Refuses a device that has such a server. Reports
 * failures and returns an exit status.
 */
int nbd_child_start(struct nbd_child *child, const struct target *target, char **argv);

/* Has it ended? After its connection broke that may take a moment, which is waited for. */
bool nbd_child_is_over(struct nbd_child *child);

/* "exited with status 1" */
const char *nbd_child_fate(const struct nbd_child *child, char text[64]);

/* Tells it to end and waits a while until it has. */
void nbd_child_end(struct nbd_child *child);

#endif /* ABUSECTL_NBD_CHILD_H */
