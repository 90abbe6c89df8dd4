/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/* So that unit tests may include what includes the library's header as programs do. */
#include "../../utils/lib/libabuse.h"
