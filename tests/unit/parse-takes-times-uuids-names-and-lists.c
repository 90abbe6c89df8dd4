/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * Times, UUIDs, users, names and lists of keys, at and beyond their bounds.
 * cflags: -luuid
 */
#include "test.h"

#include "../../utils/abusectl/parse.c"

struct passwd *getpwnam(const char *name)
{
	static struct passwd alice = { .pw_uid = 1234 };

	return strcmp(name, "alice") ? NULL : &alice;
}

static void time_is(const char *text, int64_t bare, int ret, int64_t nanoseconds)
{
	int64_t got = 77;

	is(parse_time(text, bare, &got), ret, text);
	is(got, ret ? 77 : nanoseconds, "its value");
}

static void time_shown_as(int64_t nanoseconds, const char *text)
{
	char got[TIME_TEXT];
	int64_t back = 77;

	ok(!strcmp(format_time(nanoseconds, got), text), "%lld is shown as %s, wanted %s",
	   (long long)nanoseconds, got, text);
	is(parse_time(got, 0, &back), 0, "it can be given");
	is(back, nanoseconds, "and means the same");
}

static void percent_is(const char *text, int ret, double share)
{
	double got = 77;

	is(parse_percent(text, &got), ret, text);
	ok(got == (ret ? 77 : share), "its value");
}

static void percents(void)
{
	percent_is("0%", 0, 0);
	percent_is("12.5%", 0, 0.125);
	percent_is("100%", 0, 1);
	percent_is("100.1%", -ERANGE, 0);
	percent_is("", -EINVAL, 0);
	percent_is("%", -EINVAL, 0);
	percent_is("1", -EINVAL, 0);
	percent_is("1%%", -EINVAL, 0);
	percent_is("1.2.3%", -EINVAL, 0);
	percent_is("-1%", -EINVAL, 0);
	percent_is(" 1%", -EINVAL, 0);
	percent_is("1e1%", -EINVAL, 0);
	percent_is("0x1%", -EINVAL, 0);
	percent_is("nan%", -EINVAL, 0);
}

static void user_is(const char *text, int ret, uid_t uid)
{
	uid_t got = 77;

	is(parse_user(text, &got), ret, text);
	is(got, ret ? 77 : uid, "its value");
}

static void uuids(void)
{
	static const uint8_t wanted[16] = {
		0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef,
		0xfe, 0xdc, 0xba, 0x98, 0x76, 0x54, 0x32, 0x10,
	};
	const char *text = "01234567-89ab-cdef-fedc-ba9876543210";
	uint8_t got[16];
	char back[UUID_TEXT];

	is(parse_uuid(text, got), 0, text);
	ok(!memcmp(got, wanted, sizeof(wanted)), "its bytes are in order");
	ok(!strcmp(format_uuid(got, back), text), "back to text: %s", back);
	is(parse_uuid("01234567-89AB-CDEF-FEDC-BA9876543210", got), 0, "capitals");
	is(parse_uuid("", got), -EINVAL, "empty");
	is(parse_uuid("0123456789abcdeffedcba9876543210", got), -EINVAL, "no dashes");
	is(parse_uuid("01234567-89ab-cdef-fedc-ba987654321g", got), -EINVAL, "a g");
	is(parse_uuid("01234567-89ab-cdef-fedc-ba98765432100", got), -EINVAL, "longer");
	is(parse_uuid("0123456--89ab-cdef-fedc-ba9876543210", got), -EINVAL, "a dash");
	is(parse_uuid("012345678-9ab-cdef-fedc-ba9876543210", got), -EINVAL, "shifted");
}

static void names(void)
{
	char got[32];

	is(parse_name("a", got), 0, "a");
	is(parse_name("A-Z.a_z09", got), 0, "every kind of character");
	is(parse_name("x123456789012345678901234567890", got), 0, "31 characters");
	is(parse_name("7", got), -EINVAL, "a number");
	is(parse_name("abuse7", got), -EINVAL, "a disk");
	is(parse_name("abctl0", got), -EINVAL, "a control node");
	is(parse_name("abuse", got), 0, "not quite a disk");
	is(parse_name("abuse7x", got), 0, "nor this");
	is(parse_name("x1234567890123456789012345678901", got), -ERANGE, "32");
	is(parse_name("", got), -EINVAL, "none");
	is(parse_name("a b", got), -EINVAL, "a blank");
	is(parse_name("a/b", got), -EINVAL, "a slash");
	is(parse_name("\303\244", got), -EINVAL, "beyond ASCII");
}

static void lists(void)
{
	char text[] = ",size=64M,ro,,name=,x=a=b,", *list = text, *key, *value;
	static const char *const wanted[][2] = {
		{ "size", "64M" }, { "ro", NULL }, { "name", "" }, { "x", "a=b" },
	};
	char empty[] = "";
	size_t i;

	for (i = 0; i < 4; i++) {
		must(parse_pair(&list, &key, &value), "item %zu is there", i);
		ok(!strcmp(key, wanted[i][0]), "its key is %s", key);
		ok(value ? wanted[i][1] && !strcmp(value, wanted[i][1]) : !wanted[i][1],
		   "its value is %s", value ? value : "not there");
	}
	ok(!parse_pair(&list, &key, &value), "no more");
	list = empty;
	ok(!parse_pair(&list, &key, &value), "nothing in an empty list");
}

static void line_is(const char *text, const char *key, const char *value)
{
	char line[64], *got_key, *got_value;
	int got;

	snprintf(line, sizeof(line), "%s", text);
	got = parse_line(line, &got_key, &got_value);
	is(got, key != NULL, text);
	if (!got || !key)
		return;
	ok(!strcmp(got_key, key), "its key is '%s'", got_key);
	ok(value ? got_value && !strcmp(got_value, value) : !got_value,
	   "its value is %s", got_value ? got_value : "not there");
}

static void lines(void)
{
	line_is("", NULL, NULL);
	line_is(" \t\r\n", NULL, NULL);
	line_is("# size = 1G\n", NULL, NULL);
	line_is("  # size = 1G", NULL, NULL);
	line_is("ro\n", "ro", NULL);
	line_is("ro#x", "ro#x", NULL);
	line_is("size=1G", "size", "1G");
	line_is("\tsize  =\t1G \r\n", "size", "1G");
	line_is("size = 1G # 2G = more", "size", "1G");
	line_is("size = 1G\t#", "size", "1G");
	line_is("backend = file:/a b#c =d\n", "backend", "file:/a b#c =d");
	line_is("size =", "size", "");
	line_is("size = # none", "size", "");
	line_is("= 1", "", "1");
	line_is("=", "", "");
}

static void times(void)
{
	time_is("0", 0, 0, 0);
	time_is("20000", 0, -EINVAL, 0);	/* of what? */
	time_is("20000ns", 0, 0, 20000);
	time_is("50us", 0, 0, 50000);
	time_is("1ms", 0, 0, 1000000);
	time_is("1s", 0, 0, 1000000000);
	time_is("1.5s", 0, 0, 1500000000);
	time_is("2min", 0, 0, 120000000000);
	time_is("1h", 0, 0, 3600000000000);
	time_is("", 0, -EINVAL, 0);
	time_is("us", 0, -EINVAL, 0);
	time_is("1m", 0, -EINVAL, 0);
	time_is("1 us", 0, -EINVAL, 0);
	time_is("-1us", 0, -EINVAL, 0);
	time_is("9223372036854775807ns", 0, 0, INT64_MAX);
	time_is("9223372036854775808ns", 0, -ERANGE, 0);
	time_is("18446744073709551616ns", 0, -ERANGE, 0);
	time_is("18446744073709552us", 0, -ERANGE, 0);

	time_is("never", NSEC_PER_SEC, 0, -1);
	time_is("30", NSEC_PER_SEC, 0, 30000000000);
	time_is("5ms", NSEC_PER_SEC, 0, 5000000);
	time_is("0.001", NSEC_PER_SEC, 0, 1000000);
	time_is("1.0000000019", NSEC_PER_SEC, 0, 1000000001);
	time_is("9223372036.854775807", NSEC_PER_SEC, 0, INT64_MAX);
	time_is("9223372036.854775808", NSEC_PER_SEC, -ERANGE, 0);
	time_is("99999999999999999999", NSEC_PER_SEC, -ERANGE, 0);
	time_is(".5", NSEC_PER_SEC, -EINVAL, 0);
	time_is("1.", NSEC_PER_SEC, -EINVAL, 0);
	time_is("-1", NSEC_PER_SEC, -EINVAL, 0);
	time_is("Never", NSEC_PER_SEC, -EINVAL, 0);

	time_shown_as(-1, "never");
	time_shown_as(0, "0s");
	time_shown_as(1, "1ns");
	time_shown_as(200000, "200us");
	time_shown_as(1500000000, "1500ms");
	time_shown_as(5000000000, "5s");
	time_shown_as(7200000000000, "2h");
}

int main(void)
{
	times();

	user_is("0", 0, 0);
	user_is("4294967294", 0, 4294967294U);
	user_is("4294967295", -ERANGE, 0);
	user_is("99999999999999999999", -ERANGE, 0);
	user_is("alice", 0, 1234);
	user_is("bob", -ENOENT, 0);

	percents();
	uuids();
	names();
	lists();
	lines();
	return done();
}
