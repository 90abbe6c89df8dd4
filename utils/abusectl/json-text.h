/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * A text in JSON, which is UTF-8 by definition. Paths and marks may have any bytes: each that is no part of a UTF-8
 * character becomes U+FFFD.
 */
#ifndef ABUSECTL_JSON_TEXT_H
#define ABUSECTL_JSON_TEXT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#define JSON_REPLACEMENT "\xef\xbf\xbd"	/* U+FFFD */

/* The bytes of the UTF-8 character at the begin of @text, 0: there is none. */
static inline unsigned int json_utf8_length(const unsigned char *text)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	unsigned int length = *text < 0x80 ? 1 : (*text & 0xe0) == 0xc0 ? 2 :
			      (*text & 0xf0) == 0xe0 ? 3 : (*text & 0xf8) == 0xf0 ? 4 : 0;
	uint32_t code;

	if (length < 2)
		return length;
	code = *text & (0x7fU >> length);
	for (unsigned int i = 1; i < length; i++) {
		if ((text[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (text[i] & 0x3f);
	}
	if (code < least[length] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
		return 0;
	return length;
}

static inline json_object *json_text(const char *text)
{
	static const char replacement[] = JSON_REPLACEMENT;
	char *copy = malloc(strlen(text) * (sizeof(replacement) - 1) + 1), *to = copy;
	json_object *object;

	if (!copy)
		return NULL;
	while (*text) {
		unsigned int length = json_utf8_length((const unsigned char *)text);
		const char *from = length ? text : replacement;
		size_t n = length ? length : sizeof(replacement) - 1;

		memcpy(to, from, n);
		to += n;
		text += length ? length : 1;
	}
	*to = '\0';
	object = json_object_new_string(copy);
	free(copy);
	return object;
}

#endif /* ABUSECTL_JSON_TEXT_H */
