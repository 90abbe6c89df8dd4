// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (C) 2026 the abuse authors
/*
 * libnbd, loaded when the backend nbd is asked for and not before: it brings a dozen
 * other libraries along, which every server would otherwise lock into memory.
 */
#include "library.h"
#include "cmd.h"

#include <dlfcn.h>

#define LIBRARY	"libnbd.so.0"

struct nbd_library nbd;

static bool find(void *library, const char *name, void *to)
{
	*(void **)to = dlsym(library, name);
	return *(void **)to;
}

int nbd_library_load(void)
{
	void *library = dlopen(LIBRARY, RTLD_NOW);
	bool is_complete = library;

#define FIND(name)	is_complete = is_complete && find(library, "nbd_" #name, &nbd.name);
	NBD_CALLS(FIND)
#undef FIND
	if (is_complete)
		return EXIT_OK;
	return failed("nbd", "%s; install libnbd (Debian: libnbd0)", dlerror());
}
