/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * The label of a store, "BACKEND:WHERE", by which the module remembers what a device was
 * set up from: equal stores have equal labels. Paths are absolute and without links; a
 * label that would be too long keeps its end, and a hash of the whole.
 */
#ifndef ABUSECTL_LABEL_H
#define ABUSECTL_LABEL_H

#include <libabuse.h>
#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

struct backend;

/* @uid: as whom the store is opened */
void label_of(const struct backend *backend, const char *args, unsigned int number,
	      uid_t uid, char label[ABUSE_STORE_LEN]);

/*
 * @label is that of memory of ours; @has, of the device, may be that of the same, made under
 * another name: then it is taken over.
 */
void label_follow(const char *has, char label[ABUSE_STORE_LEN]);

/* That of the backend called @name with the store @path */
void label_of_path(const char *name, const char *path, char label[ABUSE_STORE_LEN]);

/* The path of what process @pid has open that @label, which is too short for it, stands for */
bool label_find_open(const char *label, int pid, char path[PATH_MAX]);

#endif /* ABUSECTL_LABEL_H */
