// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (C) 2026 the abuse authors
/*
 * URIs of NBD servers whose paths are relative: a server works in the root directory, and
 * connects again later. See uri.h.
 */
#include "uri.h"

#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

/* The first relative path behind ? or & and one of these, or NULL */
static const char *find_relative(const char *uri)
{
	static const char *const keys[] = { "socket=", "tls-certificates=", "tls-psk-file=" };
	const char *at = strchr(uri, '?'), *path;
	size_t i;

	for (; at; at = strchr(at + 1, '&'))
		for (i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
			if (strncmp(at + 1, keys[i], strlen(keys[i])))
				continue;
			path = at + 1 + strlen(keys[i]);
			if (*path && *path != '/' && strncasecmp(path, "%2f", 3))
				return path;
		}
	return NULL;
}

static size_t encode(const char *path, char *to, size_t size)
{
	size_t len = 0;

	for (; *path && len + 4 < size; path++)
		len += (size_t)snprintf(to + len, size - len,
					isalnum((unsigned char)*path) || strchr("/-._~", *path) ?
					"%c" : "%%%02X", (unsigned char)*path);
	return len;
}

bool uri_is_nbd(const char *text)
{
	static const char *const schemes[] = { "nbd", "nbds", "nbd+unix", "nbds+unix", "nbd+vsock", "nbds+vsock" };
	size_t len = strcspn(text, ":"), i;

	for (i = 0; i < sizeof(schemes) / sizeof(*schemes); i++)
		if (strlen(schemes[i]) == len && !strncmp(text, schemes[i], len))
			return !strncmp(text + len, "://", strlen("://"));
	return false;
}

const char *uri_absolute(const char *uri, char *text, size_t size)
{
	const char *path = find_relative(uri);
	char dir[PATH_MAX], rest[URI_TEXT];
	size_t len;

	if (!path || !getcwd(dir, sizeof(dir)))
		return uri;
	len = (size_t)snprintf(text, size, "%.*s", (int)(path - uri), uri);
	if (len >= size)
		return uri;
	len += encode(dir, text + len, size - len);
	snprintf(rest, sizeof(rest), "%s", path);
	if (len + strlen(rest) + 2 > size)
		return uri;
	snprintf(text + len, size - len, "/%s", rest);
	return text;
}
