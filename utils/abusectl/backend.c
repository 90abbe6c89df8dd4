// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The table of backends, and how one is named: NAME or NAME:ARGS. Knows of no
 * device.
 */
#include "backend.h"
#include "complete.h"

#include <stdio.h>
#include <string.h>

const struct backend *const backends[] = {
	&backend_zero, &backend_null, &backend_mem, &backend_file, NULL,
};

const struct backend *backend_find(const char *spec, const char **args)
{
	const struct backend *const *backend;
	size_t len = strcspn(spec, ":");

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

void backends_complete(const char *word)
{
	const struct backend *const *backend;
	const char *args = NULL;
	char spelling[32];

	if (strchr(word, ':') && backend_find(word, &args)) {
		complete_files(word, (size_t)(args - word));
		return;
	}
	for (backend = backends; *backend; backend++) {
		snprintf(spelling, sizeof(spelling), "%s%s", (*backend)->name,
			 (*backend)->args ? ":" : "");
		complete_word(word, spelling, (*backend)->summary);
	}
}
