/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/* A command line in one word, as in "nbdkit:file disk.img"; see words.c. */
#ifndef ABUSECTL_WORDS_H
#define ABUSECTL_WORDS_H

#include <stdbool.h>
#include <stddef.h>

#define MAX_WORDS	64
#define WORDS_TEXT	8192

struct words {
	char text[WORDS_TEXT];
	size_t length;
	char *words[MAX_WORDS + 1];	/* in text; NULL at the end */
	unsigned int nr;
};

/*
 * Splits @line at blanks, but for those behind a backslash or in quotes, and makes paths of
 * what is there absolute: of the word or the value behind "=" , but not the first that is no
 * option, unless it has a slash. False: too long, or a quote that does not end.
 */
bool words_split(struct words *words, const char *line);

/* All of them in one line, which stands for them; cut if it is too long. */
void words_join(const struct words *words, char *to, size_t size);

#endif /* ABUSECTL_WORDS_H */
