// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (C) 2026 the abuse authors
/*
 * The keys of delays and errors: delay and error for all operations, or with the name
 * of one for that alone, which goes before; seed. inject.c does what they say.
 */
#include "serve/inject.h"
#include "cmd.h"
#include "key.h"
#include "parse.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_DELAY	(3600LL * NSEC_PER_SEC)
#define ALL		INJECT_OPS

#define ERRORS		"PERCENT%, ERROR or ERROR:PERCENT%, of EIO ENOSPC ETIMEDOUT ENODATA " \
			"EILSEQ ENOLINK, for discard and write_zeroes also EOPNOTSUPP"

static bool take_delay(const struct key *key, void *values, const char *text);
static bool take_error(const struct key *key, void *values, const char *text);

/* The tag is the operation, ABUSE_OP_* or ALL. */
#define DELAY(name_, op_, help_) \
	{ .names = { name_ }, .kind = KEY_OTHER, .parse = take_delay, .tag = (op_), \
	  .range = "a time from 0 to 3600s, in ns, us, ms, s, min or h", .value = "TIME", \
	  .help = help_ }
#define ERROR(name_, op_, help_) \
	{ .names = { name_ }, .kind = KEY_OTHER, .parse = take_error, .tag = (op_), \
	  .range = ERRORS, .value = "[ERR:]P%", .help = help_ }

static const struct key keys[] = {
	DELAY("delay", ALL, "complete each request later by this time, up to 3600s"),
	DELAY("delay_read", ABUSE_OP_READ, "reads alone"),
	DELAY("delay_write", ABUSE_OP_WRITE, "writes alone"),
	DELAY("delay_flush", ABUSE_OP_FLUSH, "flushes alone"),
	DELAY("delay_discard", ABUSE_OP_DISCARD, "discards alone"),
	DELAY("delay_write_zeroes", ABUSE_OP_WRITE_ZEROES, "write-zeroes alone"),
	ERROR("error", ALL, "fail so many, as in 0.1%, ENOSPC:5% or ENOSPC; EIO if\n"
	      "no other is named"),
	ERROR("error_read", ABUSE_OP_READ, "of reads alone"),
	ERROR("error_write", ABUSE_OP_WRITE, "of writes alone"),
	ERROR("error_flush", ABUSE_OP_FLUSH, "of flushes alone"),
	ERROR("error_discard", ABUSE_OP_DISCARD, "of discards alone"),
	ERROR("error_write_zeroes", ABUSE_OP_WRITE_ZEROES, "of write-zeroes alone"),
	{ { "seed" }, KEY_NUMBER, 4, offsetof(struct inject, seed), 0, UINT32_MAX,
	  .tag = ALL, .help = "which requests fail: the same seed, the same choice\n"
			      "(default: another one each time)" },
};

static const struct key_table table = KEY_TABLE(keys);

/* The errors that the interface allows. */
static const struct {
	const char *name;
	int err;
} errors[] = {
	{ "EIO", EIO }, { "ENOSPC", ENOSPC }, { "ETIMEDOUT", ETIMEDOUT },
	{ "ENODATA", ENODATA }, { "EILSEQ", EILSEQ }, { "ENOLINK", ENOLINK },
	{ "EOPNOTSUPP", EOPNOTSUPP },
};

bool inject_has(const struct inject *inject, const char *name)
{
	const struct key *key = key_find(&table, name);

	return key && inject->given & key_bit(&table, key);
}

static bool may_give(const struct key *key, int err)
{
	return err != EOPNOTSUPP || key->tag == ABUSE_OP_DISCARD ||
	       key->tag == ABUSE_OP_WRITE_ZEROES;
}

/* "ERROR" at the start of @text, which is moved behind it; 0: none that may be. */
static int take_name(const struct key *key, const char **text)
{
	size_t i, len = strcspn(*text, ":");

	for (i = 0; i < sizeof(errors) / sizeof(*errors); i++)
		if (strlen(errors[i].name) == len &&
		    !strncmp(errors[i].name, *text, len) &&
		    may_give(key, errors[i].err)) {
			*text += len;
			return errors[i].err;
		}
	return 0;
}

static bool parse_error(const struct key *key, const char *text, int *err, double *rate)
{
	*err = EIO;
	*rate = 1;
	if (*text == 'E') {
		*err = take_name(key, &text);
		if (!*err || !*text)
			return *err;
		text++;
	}
	return !parse_percent(text, rate);
}

/* One operation is as its own key says, whichever came first. */
static bool is_for(const struct inject *inject, const struct key *key, unsigned int op)
{
	size_t i;

	if (key->tag != ALL)
		return key->tag == op;
	for (i = 0; i < table.nr; i++)
		if (keys[i].tag == op && keys[i].parse == key->parse &&
		    inject->given & key_bit(&table, &keys[i]))
			return false;
	return true;
}

static bool take_delay(const struct key *key, void *values, const char *text)
{
	struct inject *inject = values;
	unsigned int op;
	int64_t time;

	if (parse_time(text, 0, &time) || time < 0 || time > MAX_DELAY)
		return false;
	for (op = 0; op < INJECT_OPS; op++)
		if (is_for(inject, key, op))
			inject->delay[op] = (uint64_t)time;
	return true;
}

static bool take_error(const struct key *key, void *values, const char *text)
{
	struct inject *inject = values;
	unsigned int op;
	double rate;
	int err;

	if (!parse_error(key, text, &err, &rate))
		return false;
	for (op = 0; op < INJECT_OPS; op++) {
		if (!is_for(inject, key, op))
			continue;
		inject->rate[op] = rate;
		inject->err[op] = err;
	}
	return true;
}

bool inject_knows(const char *name)
{
	return key_find(&table, name);
}

int inject_take(struct inject *inject, const char *subject, const char *name,
		const char *value)
{
	return key_take(&table, inject, &inject->given, subject, name, value);
}

static bool has_op(const struct abuse_ops *ops, unsigned int op)
{
	switch (op) {
	case ABUSE_OP_FLUSH:
		return ops->flush;
	case ABUSE_OP_DISCARD:
		return ops->trim;
	case ABUSE_OP_WRITE_ZEROES:
		return ops->zero;
	}
	return true;
}

int inject_check(const struct inject *inject, const struct abuse_ops *ops)
{
	size_t i;

	for (i = 0; i < table.nr; i++)
		if (inject->given & key_bit(&table, &keys[i]) && !has_op(ops, keys[i].tag))
			return failed(keys[i].names[0], "the backend knows no such operation; "
				      "leave the key out");
	return EXIT_OK;
}

bool inject_delays(const struct inject *inject)
{
	unsigned int op;

	for (op = 0; op < INJECT_OPS; op++)
		if (inject->delay[op])
			return true;
	return false;
}

void inject_help(void)
{
	puts("Delays and errors, to test what uses the device:");
	keys_help(&table);
}

void inject_complete(const char *word)
{
	keys_complete(&table, word, NULL);
}
