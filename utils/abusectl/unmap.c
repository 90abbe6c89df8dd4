// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (C) 2026 the abuse authors
#include "unmap.h"

#include <libabuse.h>

#define SECTOR	512

int unmap(int ctl)
{
	struct abuse_map_entry all = { .rights = ABUSE_MAP_READ | ABUSE_MAP_WRITE | ABUSE_MAP_SHAPE,
				       .flags = ABUSE_MAP_CLEAR };
	struct abuse_params params;
	int ret;

	ret = abuse_ctl_get_params(ctl, &params);
	if (ret < 0 || !(params.all_features & ABUSE_F_MAP) || params.owner ||
	    params.state != ABUSE_S_UP)
		return ret < 0 ? ret : 0;
	all.sectors = params.capacity / SECTOR;
	return abuse_ctl_map(ctl, &all, 1);
}
