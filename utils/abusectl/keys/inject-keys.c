// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The keys of delays and errors: delay and error for all operations, or with the name
 * of one for that alone, which goes before; seed. inject.c does what they say.
 */
#include "serve/inject.h"
#include "cmd.h"
#include "complete.h"
#include "parse.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_DELAY	(3600 * 1000000000ULL)
#define ALL		INJECT_OPS

enum kind { DELAY, ERROR, SEED };

static const struct key {
	const char *name;
	enum kind kind;
	unsigned int op;		/* ABUSE_OP_*, or ALL */
	const char *help;
} keys[] = {
	{ "delay", DELAY, ALL, "answer that much later, up to 3600s (ns, us, ms, s)" },
	{ "delay_read", DELAY, ABUSE_OP_READ, "reads alone" },
	{ "delay_write", DELAY, ABUSE_OP_WRITE, "writes alone" },
	{ "delay_flush", DELAY, ABUSE_OP_FLUSH, "flushes alone" },
	{ "delay_discard", DELAY, ABUSE_OP_DISCARD, "discards alone" },
	{ "delay_write_zeroes", DELAY, ABUSE_OP_WRITE_ZEROES, "write-zeroes alone" },
	{ "error", ERROR, ALL, "fail so many, as in 0.1%, ENOSPC:5% or ENOSPC; EIO if\n"
	  "                       no other is named" },
	{ "error_read", ERROR, ABUSE_OP_READ, "of reads alone" },
	{ "error_write", ERROR, ABUSE_OP_WRITE, "of writes alone" },
	{ "error_flush", ERROR, ABUSE_OP_FLUSH, "of flushes alone" },
	{ "error_discard", ERROR, ABUSE_OP_DISCARD, "of discards alone" },
	{ "error_write_zeroes", ERROR, ABUSE_OP_WRITE_ZEROES, "of write-zeroes alone" },
	{ "seed", SEED, ALL, "which requests fail: the same seed, the same choice\n"
	  "                       (default: another one each time)" },
};

#define NR_KEYS	(sizeof(keys) / sizeof(*keys))

static const char *const values[] = { "TIME", "[ERR:]P%", "N" };
static const char *const ranges[] = {
	[DELAY] = "a time from 0 to 3600s (ns, us and ms allowed)",
	[ERROR] = ("PERCENT%, ERROR or ERROR:PERCENT%, of EIO ENOSPC ETIMEDOUT ENODATA "
		   "EILSEQ ENOLINK, for discard and write_zeroes also EOPNOTSUPP"),
	[SEED] = "a number from 0 to 4294967295",
};

/* The errors that the interface allows. */
static const struct {
	const char *name;
	int err;
} errors[] = {
	{ "EIO", EIO }, { "ENOSPC", ENOSPC }, { "ETIMEDOUT", ETIMEDOUT },
	{ "ENODATA", ENODATA }, { "EILSEQ", EILSEQ }, { "ENOLINK", ENOLINK },
	{ "EOPNOTSUPP", EOPNOTSUPP },
};

static const struct key *key_find(const char *name)
{
	size_t i;

	for (i = 0; i < NR_KEYS; i++)
		if (!strcmp(keys[i].name, name))
			return &keys[i];
	return NULL;
}

static uint64_t key_bit(const struct key *key)
{
	return 1ULL << (key - keys);
}

bool inject_has(const struct inject *inject, const char *name)
{
	const struct key *key = key_find(name);

	return key && inject->given & key_bit(key);
}

static bool may_give(const struct key *key, int err)
{
	return err != EOPNOTSUPP || key->op == ABUSE_OP_DISCARD ||
	       key->op == ABUSE_OP_WRITE_ZEROES;
}

/* "ERROR" at the start of @text, which is moved behind it; 0: none that may be. */
static int take_error(const struct key *key, const char **text)
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
		*err = take_error(key, &text);
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

	if (key->op != ALL)
		return key->op == op;
	for (i = 0; i < NR_KEYS; i++)
		if (keys[i].op == op && keys[i].kind == key->kind &&
		    inject->given & key_bit(&keys[i]))
			return false;
	return true;
}

static bool take_value(struct inject *inject, const struct key *key, const char *value)
{
	uint64_t time = 0, seed;
	double rate = 0;
	int err = 0;
	unsigned int op;

	switch (key->kind) {
	case DELAY:
		if (parse_time(value, &time) || time > MAX_DELAY)
			return false;
		break;
	case ERROR:
		if (!parse_error(key, value, &err, &rate))
			return false;
		break;
	case SEED:
		if (parse_number(value, &seed) || seed > UINT32_MAX)
			return false;
		inject->seed = (uint32_t)seed;
		return true;
	}
	for (op = 0; op < INJECT_OPS; op++) {
		if (!is_for(inject, key, op))
			continue;
		if (key->kind == DELAY) {
			inject->delay[op] = time;
			continue;
		}
		inject->rate[op] = rate;
		inject->err[op] = err;
	}
	return true;
}

int inject_take(struct inject *inject, const char *subject, const char *name,
		const char *value)
{
	const struct key *key = key_find(name);

	if (!key)
		return -1;
	if (!value || !take_value(inject, key, value))
		return invalid(subject, "%s=%s: must be %s", name, value ? value : "",
			       ranges[key->kind]);
	inject->given |= key_bit(key);
	return EXIT_OK;
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

	for (i = 0; i < NR_KEYS; i++)
		if (inject->given & key_bit(&keys[i]) && !has_op(ops, keys[i].op))
			return failed(keys[i].name, "the backend knows no such operation; "
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
	size_t i;
	int width;

	puts("Delays and errors, to test what uses the device:");
	for (i = 0; i < NR_KEYS; i++) {
		width = 19 - (int)strlen(keys[i].name);
		if (width >= (int)strlen(values[keys[i].kind]))
			printf("  %s=%-*s %s\n", keys[i].name, width,
			       values[keys[i].kind], keys[i].help);
		else
			printf("  %s=%s\n%23s%s\n", keys[i].name, values[keys[i].kind], "",
			       keys[i].help);
	}
}

void inject_complete(const char *word)
{
	char key[24];
	size_t i;

	for (i = 0; i < NR_KEYS; i++) {
		snprintf(key, sizeof(key), "%s=", keys[i].name);
		complete_item(word, key, keys[i].help);
	}
}
