/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/* The Varlink interface io.systemd.StorageProvider, as systemd 261 has it. */
#ifndef ABUSECTL_STORAGE_INTERFACE_H
#define ABUSECTL_STORAGE_INTERFACE_H

#include <systemd/sd-varlink.h>

#define STORAGE_INTERFACE	"io.systemd.StorageProvider"

extern const sd_varlink_interface vl_interface_storage;

#endif /* ABUSECTL_STORAGE_INTERFACE_H */
