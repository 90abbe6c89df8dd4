/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/* namespace.c: mounts in the mount namespace of another process */
#ifndef ABUSECTL_NAMESPACE_H
#define ABUSECTL_NAMESPACE_H

/* A descriptor of the mount namespace of process @pid, for namespace_clear(); -1 with errno. */
int namespace_open(int pid);

/*
 * If the namespace is not that of this process: detaches there, lazily, each
 * mount of a block device that is also mounted here, except "/" and /usr. Its processes keep the
 * files that they have open. Needs CAP_SYS_ADMIN; failures are not reported.
 */
void namespace_clear(int namespace);

#endif /* ABUSECTL_NAMESPACE_H */
