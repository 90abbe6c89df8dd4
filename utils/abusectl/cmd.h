/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * The map of abusectl: the table of verbs, how they report, and what they share.
 * Each verb lives in its own commands/<verb>.c and calls only the library and the
 * files named here.
 */
#ifndef ABUSECTL_CMD_H
#define ABUSECTL_CMD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "options.h"

struct abuse_add;
struct abuse_dev;

enum { EXIT_OK, EXIT_FAILED, EXIT_USAGE };

struct cmd {
	const char *name;
	int (*run)(int argc, char **argv);	/* argv[0] is the verb */
	const char *args;
	const char *summary;			/* one line */
	const struct opt *options;		/* options.h: its own, or NULL */
	void (*details)(void);			/* the rest of its help, or NULL */
	/*
	 * Candidates for its last argument, which may be empty, with the functions
	 * of complete.h; NULL: it takes none.
	 */
	void (*complete)(int argc, char **argv);
	bool is_hidden;				/* for programs: not listed by help */
};

/* main.c */
extern const struct cmd *const cmds[];		/* ends with NULL */
const struct cmd *cmd_lookup(const char *name);

/* commands/<verb>.c */
extern const struct cmd cmd_add, cmd_admit, cmd_complete, cmd_get, cmd_help, cmd_info, cmd_list,
	cmd_map,
	cmd_detach, cmd_metrics, cmd_poll, cmd_put, cmd_remove, cmd_replay, cmd_reset, cmd_resize,
	cmd_serve_many, cmd_server, cmd_setup, cmd_stat, cmd_stop, cmd_top;

#if HAVE_STORAGE_PROVIDER
extern const struct cmd cmd_storage_provider;	/* storage/provider.c */
#endif

/* module.c: the message that the module is not loaded, with the remedy. */
const char *module_remedy(void);

/* commands/add.c: is there such a key of add? */
bool add_knows(const char *name);

/* command.c: runs another command and awaits its end: its wait status, or -1 once it has reported why there is none */
int command_run(const char *subject, char *const words[]);

/* commands/help.c */
void help_all(void);
void help_one(const struct cmd *cmd);
void complete_verbs(const char *word);

/*
 * report.c: one line each, "abusectl: VERB: SUBJECT: REASON". They return the
 * exit status that goes with it, so that callers can return them: failed()
 * EXIT_FAILED, invalid() EXIT_USAGE (a value that cannot be), misused() the
 * same after pointing to help, note() EXIT_OK.
 */
void report_verb(const struct cmd *cmd);
void report_place(const char *text);	/* this thread's lines begin with it, "FILE:LINE"; or NULL */
void report_quiet(void);		/* note() says nothing from now on */
bool is_quiet(void);
int failed(const char *subject, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
int invalid(const char *subject, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
int misused(const char *format, ...) __attribute__((format(printf, 1, 2)));
int note(const char *subject, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * device.c: DEV as users write it. device_open() returns a descriptor and leaves
 * the number in *number, or reports why not and returns -1. device_failed()
 * reports what an operation on an open device returned, device_missing() why
 * there is none to open. device_add() adds one, leaving its number in @add;
 * device_obtain() opens the device of that number or, if that is -1, of that name,
 * and adds it if there is none; it refuses one that belongs to another user.
 * identity_taken() reports that another device than @number has this name or UUID.
 */
int device_open(const char *text, unsigned int *number);
int device_missing(const char *text, int err);
int device_add(struct abuse_add *add);
/* The same, and opens it: a descriptor, or -1 */
int device_add_open(struct abuse_add *add);
int device_obtain(int wanted, const char *name, unsigned int *number, bool *was_added);
/* The number of the device that device_obtain() would open, or -1 if it would add one */
int device_find(int wanted, const char *name);
/* Opens an empty device, for an ordinary user one added for that; as device_open() */
int device_find_free(unsigned int *number, bool *was_added);
/* As device_open(), but by its name only a device that is not another user's */
int device_open_own(const char *text, unsigned int *number);
/* Reports that the device belongs to another user, who would get all data that root serves there. */
bool device_is_foreign(unsigned int number);
/* Takes the lock of its control node, in bounded time; reports and returns a status. */
int device_lock(unsigned int number, int fd);
int identity_taken(const char *subject, unsigned int number, const char *name,
		   const uint8_t uuid[16]);
int device_failed(unsigned int number, const char *operation, int err);
const char *device_name(unsigned int number);

/* bio.c: get and put, the two halves of 2009's loop */
int bio_get(const char *text, bool put);

/*
 * sysfs.c: attributes that the library's view lacks. "" if there is none. device_text()
 * reads a whole file, of DEVICE_TEXT bytes at most, device_attribute() its first line.
 */
#define DEVICE_TEXT	4097

/* For a process that the initial ramdisk starts: /sys is out of its reach when the system has started. */
void device_keep_sysfs(void);
void device_text(unsigned int number, const char *name, char *text, size_t size);
void device_attribute(unsigned int number, const char *name, char *text, size_t size);

/* The servers of a device, as far as this process sees them: how many pids of @max */
unsigned int device_servers(unsigned int number, int *pids, unsigned int max);

/*
 * devices.c: a growing array of devices; its owner frees devs. devices_collect() appends those
 * of @names (ends with NULL), or all if there are none; it reports each that is missing,
 * goes on, and returns the exit status.
 */
struct devices {
	struct abuse_dev *devs;
	size_t nr;
};

int devices_append(const struct abuse_dev *dev, void *all);	/* for abuse_dev_each() */
int devices_collect(char *const *names, struct devices *all);

/*
 * columns.c: the columns of list and stat, as data. columns_parse() turns the
 * argument of --output into columns, behind those of @defaults if it begins with +, or
 * reports the wrong one.
 */
#define MAX_COLUMNS	32

struct column;

struct selection {
	const struct column *columns[2 * MAX_COLUMNS];
	unsigned int nr;
};

struct style {
	bool json;
	bool no_headings;
	bool raw;			/* no padding, blanks escaped */
	bool bytes;
};

void columns_all(struct selection *selection);
bool columns_parse(const char *text, const char *defaults, struct selection *selection);
int columns_print(const struct selection *selection, const struct style *style,
		  const struct abuse_dev *devs, size_t nr);
void columns_help(void);
void columns_complete(const char *word);

/* show.c: list and stat, which differ in their columns alone */
extern const struct opt show_options[];
int show_devices(const struct cmd *cmd, int argc, char **argv, const char *defaults);
void show_details(const char *defaults);
void show_complete(int argc, char **argv);

#endif /* ABUSECTL_CMD_H */
