/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
#ifndef ABUSECTL_URI_H
#define ABUSECTL_URI_H

#include <stdbool.h>
#include <stddef.h>

#define URI_TEXT	8192

/* Does @text begin as a URI of an NBD server does, nbd:// and its like? */
bool uri_is_nbd(const char *text);

/* @uri, or in @text the same with its first relative path made absolute */
const char *uri_absolute(const char *uri, char *text, size_t size);

#endif /* ABUSECTL_URI_H */
