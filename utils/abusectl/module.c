// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (C) 2026 the abuse authors
/*
 * How the module comes to be loaded, in words: where the kernel takes signed
 * modules alone (Secure Boot), 'modprobe' says only that a key was rejected.
 */
#include "cmd.h"

#include <stdio.h>
#include <string.h>

static bool holds(const char *file, const char *word)
{
	char text[64] = "";
	FILE *f = fopen(file, "re");

	if (!f)
		return false;
	if (!fgets(text, sizeof(text), f))
		*text = '\0';
	fclose(f);
	return strstr(text, word);
}

const char *module_remedy(void)
{
	const char *lockdown = "/sys/kernel/security/lockdown";

	if (holds("/sys/module/module/parameters/sig_enforce", "Y") ||
	    holds(lockdown, "[integrity]") || holds(lockdown, "[confidentiality]"))
		return "the module abuse is not loaded; 'modprobe abuse' loads it; "
		       "if its key is rejected, run 'mokutil --import "
		       "/var/lib/dkms/mok.pub' and restart";
	return "the module abuse is not loaded; 'modprobe abuse' loads it";
}
