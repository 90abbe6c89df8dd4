/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * The plan of a server: backend, keys of set-up and its own keys, as given by
 * arguments or a file; and how a device gets there, up to the point where serving
 * starts. server and "setup --config" share it.
 */
#ifndef ABUSECTL_PLAN_H
#define ABUSECTL_PLAN_H

#include "backends/backend.h"
#include "setup.h"

struct plan {
	struct settings settings;
	struct serving serving;
	const char *backend_args;
	uint64_t given;			/* bit n: own key n of the table */
	uid_t store_user;		/* as whom root opens the store; 0: as root */
	bool has_backend;		/* one was given */
	bool is_forced;			/* joins a device that another store serves */
	bool is_dry;			/* prints what it would do */
	bool only_sets_up;		/* does not serve: the store may stay closed, NULL */
	bool must_set_up;		/* the device must be empty, else PLAN_TAKEN */
	bool was_added;			/* the device, for this plan */
	bool was_set_up;		/* by this plan */
	char label[ABUSE_STORE_LEN];	/* of its store */
	char *made;			/* the file made for it, or NULL */
};

#define PLAN_TAKEN	(-1)

/*
 * Can the keys be together, whatever the device? Reports against @subject; EXIT_OK or
 * EXIT_USAGE.
 */
int plan_check(const struct plan *plan, const char *subject);

/* Everything at its default, the backend too. */
void plan_init(struct plan *plan);

/*
 * Takes one key. EXIT_OK; EXIT_USAGE, reported against @subject; or -1: no such
 * key, nothing said.
 */
int plan_take(struct plan *plan, const char *subject, const char *key,
	      const char *value);

/* Was this key, in any spelling, or the one that it contradicts taken? */
bool plan_has(const struct plan *plan, const char *key);

/* Is there such a key beside those of setup? */
bool plan_knows(const char *key);

/* Takes the backend, "NAME" or "NAME:ARGS", which must stay there; as plan_take(). */
int plan_take_backend(struct plan *plan, const char *subject, const char *spec);

/*
 * Takes words as they stand behind a DEV: a backend and lists of keys, in any order; the words are cut
 * up and must stay there. Reports what is wrong and returns an exit status.
 */
int plan_take_words(struct plan *plan, const char *subject, char **words);

/*
 * From the open control node plan->serving.fd to an open store of a device that is
 * up: it is set up if it is empty, and else must be what the keys say. Servers
 * that start at the same moment do so one after another, under a lock on the node.
 * Reports its failures and returns an exit status.
 */
int plan_attach(struct plan *plan);

/*
 * After a failure: takes back what plan_attach() and the addition of the device did, if
 * no server has come meanwhile. True: the device is empty again, or gone.
 */
bool plan_undo(struct plan *plan);

/* The keys, those of set-up too. */
void plan_help(void);
void plan_complete(const char *word);

#endif /* ABUSECTL_PLAN_H */
