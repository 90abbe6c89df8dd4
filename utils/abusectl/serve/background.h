/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * "server --fork": the caller has its shell back when the disk is served, by a process
 * of another session.
 */
#ifndef ABUSECTL_BACKGROUND_H
#define ABUSECTL_BACKGROUND_H

#include <stdbool.h>

/* The child, as its caller knows it when it serves */
struct background {
	unsigned int number;		/* of the device */
	int pid;
};

/*
 * Forks; no other thread may run, and nothing be open yet. EXIT_OK with *is_child true: go
 * on and serve. Else this is the caller, and what is returned is to be its exit status:
 * EXIT_OK once the child has called background_ready(), or the child's.
 */
int background_begin(bool *is_child, struct background *server);

/*
 * This process serves. If it is such a child, it leaves its caller's session and standard
 * streams, and tells it so.
 */
void background_ready(unsigned int number);

/*
 * Lets go of the working directory and of core dumps. A directory that is kept could not be
 * unmounted, and a core would be written while requests wait, perhaps to the disk that is served.
 */
void background_let_go(void);

#endif /* ABUSECTL_BACKGROUND_H */
