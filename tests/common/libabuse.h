/* SPDX-License-Identifier: GPL-2.0-or-later */
/* So that unit tests may include what includes the library's header as programs do. */
#include "../../utils/lib/libabuse.h"
