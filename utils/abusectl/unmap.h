/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/* unmap.c: the map of a device ends */
#ifndef ABUSECTL_UNMAP_H
#define ABUSECTL_UNMAP_H

/*
 * Ends the map of the disk whose control node @ctl is open for: each request goes to servers again,
 * and the kernel closes the files that it kept open, once what it wrote to them has been synced. On
 * a kernel or device without maps there is nothing to end. Waits, killably, for what runs by the
 * map. Returns 0 or a negative errno.
 */
int unmap(int ctl);

#endif /* ABUSECTL_UNMAP_H */
