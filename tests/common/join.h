/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/* Tests that include files of abusectl do not search utils/lib. */
#include "../../utils/lib/join.h"
