// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (C) 2026 the abuse authors
/*
 * nbdkit: a server nbdkit(1) of our own, given its command line: a plugin, its parameters,
 * and options for filters.
 */
#include "backends/words.h"
#include "cmd.h"
#include "nbd.h"

#include <string.h>

/* Those that keep what is written in themselves, and lose it when they end */
static bool is_volatile(const struct words *words)
{
	static const char *const names[] = {
		"memory", "data", "tmpdisk", "--filter=cow", "--filter=cache",
	};
	unsigned int i, n;

	for (i = 0; i < words->nr; i++)
		for (n = 0; n < sizeof(names) / sizeof(*names); n++)
			if (!strcmp(words->words[i], names[n]))
				return true;
	return false;
}

/* Was anything written to it by a server that is gone? One that lives has a lock. */
static bool has_lost_bytes(const struct target *target)
{
	struct abuse_dev dev;
	int pid;

	return target->is_up && !target->read_only &&
	       !device_servers(target->number, &pid, 1) &&
	       (abuse_dev_stat(target->number, &dev) || dev.served);
}

static int nbdkit_open(struct target *target, const char *args, void **store)
{
	static char command[] = "nbdkit", foreground[] = "--foreground", readonly[] = "--readonly";
	static struct words words;	/* one store in a process */
	char *argv[MAX_WORDS + 4] = { command, foreground };
	unsigned int nr = 2;

	if (args && !words_split(&words, args))
		return misused("nbdkit:%s: a quote is not closed, or there are more than %d words or %d bytes",
			       args, MAX_WORDS, WORDS_TEXT);
	if (!args || !words.nr)
		return misused("nbdkit: needs a plugin and its parameters in one word, as in "
			       "'nbdkit:memory 1G'");
	if (is_volatile(&words) && has_lost_bytes(target) && !target->is_forced)
		return failed(device_name(target->number), "is up, and what was written to it "
			      "ended with its last server: '%s' keeps it in nbdkit; 'abusectl "
			      "reset %u' starts over, --force serves what is new", args,
			      target->number);
	if (target->read_only)
		argv[nr++] = readonly;
	memcpy(argv + nr, words.words, (words.nr + 1) * sizeof(*argv));
	return nbd_open_child(target, argv, args, store);
}

const struct backend backend_nbdkit = {
	NBD_BACKEND,
	.name = "nbdkit",
	.args = "PLUGIN ...",
	.summary = "a plugin of nbdkit, as in 'nbdkit:memory 1G'",
	.is_command = true,
	.is_alone = true,
	.open = nbdkit_open,
	.is_lost = nbd_is_lost,
};
