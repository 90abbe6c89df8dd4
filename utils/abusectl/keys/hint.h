/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * A remedy for a word that is not a key of the verb: the right spelling, or the verb that has the key.
 */
#ifndef ABUSECTL_HINT_H
#define ABUSECTL_HINT_H

#define HINT_TEXT	160

/* "; " and the remedy for @word, or for "@word=@value" if @value is not NULL; "" if nothing is known. */
const char *key_hint(const char *word, const char *value, char text[HINT_TEXT]);

#endif /* ABUSECTL_HINT_H */
