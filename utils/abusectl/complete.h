/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * The output of the hidden verb "complete" for the completions of the shells: a
 * line for each candidate that begins with the word to be completed, as
 *	CANDIDATE<tab>EXPLANATION
 * or, where a file belongs, one line
 *	@files PREFIX
 * which asks the shell to complete what follows PREFIX in the word as a path.
 * Candidates that end in = or : or , want more in the same word.
 */
#ifndef ABUSECTL_COMPLETE_H
#define ABUSECTL_COMPLETE_H

#include <stddef.h>

/* @candidate, if @word may become it */
void complete_word(const char *word, const char *candidate, const char *about);

/* The same behind the first @prefix bytes of @word, which stay as they are. */
void complete_behind(const char *word, size_t prefix, const char *candidate,
		     const char *about);

/* The same for the last item of a list with commas. */
void complete_item(const char *word, const char *item, const char *about);

/* A path, behind the first @prefix bytes of @word. */
void complete_files(const char *word, size_t prefix);

/* The devices there are, as numbers do not tell much: abuseN, names, nodes. */
void complete_devices(const char *word);

/* Verbs that take options and devices, or one device, alone. */
void complete_device(int argc, char **argv);
void complete_all_devices(int argc, char **argv);

#endif /* ABUSECTL_COMPLETE_H */
