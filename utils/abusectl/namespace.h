/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/* namespace.c: mounts in the mount namespace of another process */
#ifndef ABUSECTL_NAMESPACE_H
#define ABUSECTL_NAMESPACE_H

/*
 * If process @pid has a mount namespace other than this process: detaches there, lazily, each
 * mount of a block device that is also mounted here, except "/" and /usr. The process keeps the
 * files that it has open. Needs CAP_SYS_ADMIN; failures are not reported.
 */
void namespace_clear(int pid);

#endif /* ABUSECTL_NAMESPACE_H */
