// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (C) 2026 the abuse authors
/*
 * The label of a store; see label.h. Opens no store.
 */
#include "label.h"
#include "backend.h"
#include "uri.h"
#include "words.h"

#include <ctype.h>
#include <dirent.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uuid/uuid.h>

#define HASH_TEXT	8

/* Without links; a file that is not there yet has a directory. */
static void resolve(const char *path, char full[PATH_MAX])
{
	char copy[PATH_MAX], dir[PATH_MAX];

	if (realpath(path, full))
		return;
	snprintf(copy, sizeof(copy), "%s", path);
	if (!realpath(dirname(copy), dir)) {
		snprintf(full, PATH_MAX, "%s", path);
		return;
	}
	snprintf(copy, sizeof(copy), "%s", path);
	snprintf(full, PATH_MAX, "%.2000s/%.2000s", strcmp(dir, "/") ? dir : "", basename(copy));
}

static void hash(const char *text, char hex[HASH_TEXT + 1])
{
	uuid_t sum;

	uuid_generate_sha1(sum, *uuid_get_template("url"), text, strlen(text));
	snprintf(hex, HASH_TEXT + 1, "%02x%02x%02x%02x", sum[0], sum[1], sum[2], sum[3]);
}

static void make(const char *name, const char *where, char label[ABUSE_STORE_LEN])
{
	size_t begin = strlen(name) + 1, len = strlen(where);
	size_t room = ABUSE_STORE_LEN - 1 - begin, tail;
	char hex[HASH_TEXT + 1];
	bool is_plain = true;
	size_t i;

	for (i = 0; i < len; i++)
		is_plain &= !iscntrl((unsigned char)where[i]);
	memset(label, 0, ABUSE_STORE_LEN);
	if (is_plain && len <= room) {
		snprintf(label, ABUSE_STORE_LEN, "%s:%s", name, where);
		return;
	}
	hash(where, hex);
	tail = room - strlen("..") - 1 - HASH_TEXT;
	if (len < tail)
		tail = len;
	/* Not from the middle of a character of UTF-8 */
	while (tail && ((unsigned char)where[len - tail] & 0xc0) == 0x80)
		tail--;
	snprintf(label, ABUSE_STORE_LEN, "%s:..%s#%s", name, where + len - tail, hex);
	for (i = 0; label[i]; i++)
		if (iscntrl((unsigned char)label[i]))
			label[i] = '?';
}

void label_of_path(const char *name, const char *path, char label[ABUSE_STORE_LEN])
{
	char full[PATH_MAX];

	resolve(path, full);
	make(name, full, label);
}

bool label_find_open(const char *label, int pid, char path[PATH_MAX])
{
	char name[64], of[ABUSE_STORE_LEN];
	const struct dirent *entry;
	bool is_found = false;
	ssize_t len;
	DIR *dir;

	snprintf(name, sizeof(name), "/proc/%d/fd", pid);
	dir = opendir(name);
	while (dir && !is_found && (entry = readdir(dir))) {
		len = readlinkat(dirfd(dir), entry->d_name, path, PATH_MAX - 1);
		path[len < 0 ? 0 : len] = '\0';
		if (*path != '/')
			continue;
		snprintf(name, sizeof(name), "%.*s", (int)strcspn(label, ":"), label);
		make(name, path, of);
		is_found = !strcmp(of, label);
	}
	if (dir)
		closedir(dir);
	return is_found;
}

/* Label of "LOG:BACKEND": a server of the same store without the log has another label. */
static void label_of_both(const struct backend *backend, const char *args, unsigned int number,
			  uid_t uid, char label[ABUSE_STORE_LEN])
{
	size_t len = strcspn(args, ":");
	char path[PATH_MAX], full[PATH_MAX], inner[ABUSE_STORE_LEN];
	char both[PATH_MAX + ABUSE_STORE_LEN];
	const char *inner_args = strchr(args + len + 1, ':');

	snprintf(path, sizeof(path), "%.*s", (int)len, args);
	resolve(path, full);
	label_of(backend->inner, inner_args ? inner_args + 1 : NULL, number, uid, inner);
	snprintf(both, sizeof(both), "%s:%s", full, inner);
	make(backend->name, both, label);
}

static void label_of_command(const struct backend *backend, const char *args,
			     char label[ABUSE_STORE_LEN])
{
	static struct words words;
	static char line[WORDS_TEXT];

	if (words_split(&words, args))
		words_join(&words, line, sizeof(line));
	make(backend->name, words.nr ? line : args, label);
}

void label_of(const struct backend *backend, const char *args, unsigned int number,
	      uid_t uid, char label[ABUSE_STORE_LEN])
{
	char object[48], uri[URI_TEXT];

	if (backend->inner && args) {
		label_of_both(backend, args, number, uid, label);
	} else if (backend == &backend_mem) {
		snprintf(object, sizeof(object), "/dev/shm/abuse-%u-%u", uid, number);
		make(backend->name, object, label);
	} else if (!args) {
		memset(label, 0, ABUSE_STORE_LEN);
		strcpy(label, backend->name);
	} else if (backend->is_command) {
		label_of_command(backend, args, label);
	} else if (backend->forms) {
		make(backend->name, uri_absolute(args, uri, sizeof(uri)), label);
	} else {
		if (backend->has_two_paths && strchr(args, ':'))
			args = strchr(args, ':') + 1;
		label_of_path(backend->name, args, label);
	}
}

void label_follow(const char *has, char label[ABUSE_STORE_LEN])
{
	size_t len = strlen(label);

	if (!strncmp(label, "mem:", strlen("mem:")) && !strncmp(has, label, len) &&
	    has[len] == '-')
		snprintf(label, ABUSE_STORE_LEN, "%s", has);
}
