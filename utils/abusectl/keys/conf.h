/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * abuse.conf(5): a file that says of one device what "abusectl server" would be
 * told by arguments. All failures are one line that names the file and, if one is
 * to blame, the line. The status is EXIT_USAGE where what the file says cannot be.
 */
#ifndef ABUSECTL_CONF_H
#define ABUSECTL_CONF_H

#include "plan.h"

#include <limits.h>

struct conf {
	char path[PATH_MAX];
	char name[32];			/* of the device: the file's; or "" */
	int number;			/* of the device, or -1: it goes by its name */
	char *backend;			/* as the file says it; plan points here */
	struct plan plan;
};

/*
 * Reads the file that @text means, a path if it has a slash, else the name of one in
 * /etc/abuse; finds or adds its device, and opens the control node. conf_close()
 * is due after success alone.
 */
int conf_open(struct conf *conf, const char *text);
void conf_close(struct conf *conf);

/* Calls @fn with the name of each file in /etc/abuse, in no order, until one returns other than 0: returns that. */
int conf_each(int (*fn)(const char *name, void *arg), void *arg);

/* Is there a file of this name in /etc/abuse? */
bool conf_exists(const char *name);

/*
 * The number of the device of the file @name in /etc/abuse, or -1: there is none, it belongs to another user, or the
 * file has an error. The latter two are reported.
 */
int conf_device(const char *name);

/*
 * For a caller that is root: what the server will open is to be opened and made as
 * the user for whom the file seals the device, whom this waits for the rules to let
 * in.
 */
void conf_prepare_user(struct conf *conf);

void conf_help(void);

/*
 * Completes the last word if it belongs to --config. True: it does, or nothing can be
 * there, since that was given.
 */
bool conf_complete(int argc, char **argv);

#endif /* ABUSECTL_CONF_H */
