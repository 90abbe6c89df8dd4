/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/* The users of a disk, in words; see use.c. */
#ifndef ABUSECTL_USE_H
#define ABUSECTL_USE_H

#include <stdbool.h>

#define USE_TEXT	320

/* Mounted, swap, part of another disk, or behind a loop device: *text says which, "mounted on /mnt". */
bool use_is_claimed(unsigned int number, char text[USE_TEXT]);

/*
 * Open in a process other than udev's, whose looks are short: "fio (pid 7)". False if
 * there is none that this user may see.
 */
bool use_is_open(unsigned int number, char text[USE_TEXT]);

/* Claimed, or open in any process or in the kernel, also where nobody can see it. */
bool use_is_busy(unsigned int number);

#endif /* ABUSECTL_USE_H */
