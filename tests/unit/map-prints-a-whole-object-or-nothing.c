/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * abusectl map --json prints one object of JSON, also while counters are unknown; if the map cannot be read, at once or after
 * some of it, it prints nothing and reports why. A text of any bytes becomes JSON of UTF-8 alone.
 * cflags: -ljson-c
 * needs: /usr/include/json-c/json.h:libjson-c-dev
 */
/* under: memcheck */
#include <fcntl.h>

#include "said.h"

#include "../../utils/abusectl/json-text.h"
#include "../../utils/abusectl/commands/map.c"

#define EXTENTS	(ABUSE_MAX_ENTRIES + 3)

static struct {
	bool is_json;
	const char *counter;
	unsigned int nr;		/* extents */
	unsigned int fails_at;		/* from that extent on, with error */
	int error;
} fake;

int option_next(const struct cmd *cmd, int argc, char **argv, const char **value)
{
	(void)cmd;
	(void)argc;
	(void)argv;
	(void)value;
	if (!fake.is_json)
		return 0;
	fake.is_json = false;
	return 'J';
}

void complete_device(int argc, char **argv)
{
	(void)argc;
	(void)argv;
}

int misused(const char *format, ...)
{
	(void)format;
	return EXIT_USAGE;
}

int device_open(const char *text, unsigned int *number)
{
	(void)text;
	*number = 7;
	return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

int device_failed(unsigned int number, const char *operation, int err)
{
	(void)number;
	return failed("abuse7", "cannot %s: %d", operation, err);
}

void device_attribute(unsigned int number, const char *name, char *text, size_t size)
{
	(void)number;
	(void)name;
	snprintf(text, size, "%s", fake.counter);
}

/* Extent i is sector 10 i. */
int abuse_ctl_get_map_sized(int fd, uint64_t sector, struct abuse_map_entry *entries, unsigned int nr, size_t size)
{
	unsigned int first = (unsigned int)(sector + 9) / 10, i;

	(void)fd;
	if (size != sizeof(*entries))
		abort();		/* must() would print into the object */
	if (fake.error && first >= fake.fails_at)
		return fake.error;
	for (i = 0; i < nr && first + i < fake.nr; i++)
		entries[i] = (struct abuse_map_entry) {
			.sector = 10ULL * (first + i), .sectors = 5, .rights = ABUSE_MAP_READ,
		};
	return (int)i;
}

/* Returns the output. */
static char *map(int wanted, bool is_json)
{
	char *argv[] = { (char *)"map", (char *)"7", NULL };
	FILE *screen = stdout;
	char *text = NULL;
	size_t size;
	int status;

	*said = '\0';
	optind = 1;
	fake.is_json = is_json;
	stdout = open_memstream(&text, &size);
	status = cmd_map.run(2, argv);
	fclose(stdout);
	stdout = screen;
	ok(status == wanted, "status %d, wanted %d", status, wanted);
	return text;
}

static void is_whole(const char *counter, unsigned int nr, const char *missed)
{
	json_object *object, *value;
	char *text;

	fake.counter = counter;
	fake.nr = nr;
	fake.error = 0;
	text = map(EXIT_OK, true);
	object = json_tokener_parse(text);
	must(object, "%u extents, counters \"%s\": JSON, %.40s", nr, counter, text);
	ok(json_object_object_get_ex(object, "extents", &value) && json_object_array_length(value) == nr, "its extents");
	ok(json_object_object_get_ex(object, "missed", &value) &&
	   !strcmp(json_object_to_json_string(value), missed), "its counter is %s", missed);
	json_object_put(object);
	free(text);
}

static void is_nothing(unsigned int fails_at, int error)
{
	char *text;
	int json;

	fake.nr = EXTENTS;
	fake.fails_at = fails_at;
	fake.error = error;
	for (json = 0; json < 2; json++) {
		text = map(EXIT_FAILED, json);
		ok(!*text, "an error at extent %u: nothing is printed, but '%.20s'", fails_at, text);
		ok(strstr(said, "cannot read the map"), "it is reported: %s", said);
		free(text);
	}
}

static void text_is(const char *text, const char *wanted)
{
	json_object *object = json_text(text);

	ok(!strcmp(json_object_get_string(object), wanted), "%s", json_object_to_json_string(object));
	json_object_put(object);
}

#define NO	"\xef\xbf\xbd"

int main(void)
{
	char *text;

	is_whole("12", 0, "12");
	is_whole("12", 1, "12");
	is_whole("18446744073709551615", EXTENTS, "18446744073709551615");
	is_whole("", 0, "null");
	is_whole("", EXTENTS, "null");
	is_nothing(0, -ENXIO);
	is_nothing(ABUSE_MAX_ENTRIES, -ENODEV);

	fake.error = 0;
	fake.nr = 0;
	fake.counter = "";
	text = map(EXIT_OK, false);
	ok(!strcmp(text, "- reads in place, - requests by a worker, - missed\n"), "unknown counters: %s", text);
	free(text);

	text_is("", "");
	text_is("/srv/a b", "/srv/a b");
	text_is("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80");
	text_is("a\xff" "b", "a" NO "b");
	text_is("\xe2\x82", NO NO);			/* cut off */
	text_is("\xc0\xaf", NO NO);			/* longer than it need be */
	text_is("\xed\xa0\x80", NO NO NO);		/* half of a pair */
	text_is("\xf4\x90\x80\x80", NO NO NO NO);	/* above U+10FFFF */
	text_is("\x80\xc3", NO NO);
	return done();
}
