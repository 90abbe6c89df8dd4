// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (C) 2026 the abuse authors
/*
 * The table of backends, and how one is named: NAME or NAME:ARGS. Knows of no
 * device.
 */
#include "backend.h"
#include "complete.h"
#include "uri.h"

#include <stdio.h>
#include <string.h>

const struct backend *const backends[] = {
	&backend_zero, &backend_null, &backend_mem, &backend_file, &backend_cow,
	&backend_nbd, &backend_nbdkit, &backend_qemu, &backend_record, NULL,
};

const struct backend *backend_find(const char *spec, const char **args)
{
	const struct backend *const *backend;
	size_t len = strcspn(spec, ":");

	if (uri_is_nbd(spec)) {
		*args = spec;
		return &backend_nbd;
	}
	for (backend = backends; *backend; backend++)
		if (strlen((*backend)->name) == len &&
		    !strncmp((*backend)->name, spec, len)) {
			*args = spec[len] ? spec + len + 1 : NULL;
			break;
		}
	return *backend;
}

void backends_help(void)
{
	const struct backend *const *backend;
	char spelling[32];

	for (backend = backends; *backend; backend++) {
		snprintf(spelling, sizeof(spelling), "%s%s%s", (*backend)->name,
			 (*backend)->args ? ":" : "",
			 (*backend)->args ? (*backend)->args : "");
		printf("  %-20s %s\n", spelling, (*backend)->summary);
	}
}

static void complete_backend(const char *word, const char *spec);

/* The argument of @backend, at @args in @word. */
static void complete_argument(const struct backend *backend, const char *word,
			      const char *args)
{
	const char *const *form;
	const char *colon = strchr(args, ':');
	char spelling[64];
	size_t len;

	if (backend->compose && colon) {
		complete_backend(word, colon + 1);
		return;
	}
	if (backend->has_two_paths && colon)
		args = colon + 1;
	for (form = backend->forms; form && *form; form++) {
		len = strlen(*form);
		if ((*form)[len - 1] == '=' && !strncmp(args, *form, len)) {
			complete_files(word, (size_t)(args - word) + len);
			return;
		}
		snprintf(spelling, sizeof(spelling), "%s:%s", backend->name, *form);
		complete_word(word, spelling, backend->summary);
	}
	if (!backend->forms)
		complete_files(word, (size_t)(args - word));
}

/* A backend, named from @spec on in @word */
static void complete_backend(const char *word, const char *spec)
{
	const struct backend *const *backend, *found;
	const char *args = NULL;
	char spelling[32];

	found = backend_find(spec, &args);
	if (found && args) {
		complete_argument(found, word, args);
		return;
	}
	for (backend = backends; *backend; backend++) {
		snprintf(spelling, sizeof(spelling), "%s%s", (*backend)->name,
			 (*backend)->args ? ":" : "");
		complete_behind(word, (size_t)(spec - word), spelling, (*backend)->summary);
	}
}

void backends_complete(const char *word)
{
	complete_backend(word, word);
}
