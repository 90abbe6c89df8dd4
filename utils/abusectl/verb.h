/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/* verb.c: the arguments of verbs for devices, which differ in what they do with each alone. */
#ifndef ABUSECTL_VERB_H
#define ABUSECTL_VERB_H

#include "options.h"

#include <stdbool.h>

typedef int verb_act(const char *dev, void *arg);

/*
 * After the options: @act for each of the devices from argv[optind] on, or for the one that there is to be. A device
 * that fails does not keep the others from their turn. They return an exit status.
 */
int verb_each(int argc, char **argv, verb_act *act, void *arg);
int verb_one(int argc, char **argv, verb_act *act, void *arg);

/* The whole of a verb that has no option of its own and takes one device */
int verb_plain(const struct cmd *cmd, int argc, char **argv, verb_act *act, void *arg);

/* The whole of a verb for devices whose option is --dry-run alone */
extern const struct opt dry_run_options[];
int verb_dry_run(const struct cmd *cmd, int argc, char **argv,
		 int (*act)(const char *dev, bool is_dry));

#endif /* ABUSECTL_VERB_H */
