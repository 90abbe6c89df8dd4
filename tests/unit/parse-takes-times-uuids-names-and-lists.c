/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Times, UUIDs, users, names and lists of keys, at and beyond their bounds.
 */
#include "test.h"

#include "../../utils/abusectl/parse.c"

struct passwd *getpwnam(const char *name)
{
	static struct passwd alice = { .pw_uid = 1234 };

	return strcmp(name, "alice") ? NULL : &alice;
}

static void time_is(const char *text, int ret, int64_t nanoseconds)
{
	int64_t got = 77;

	is(parse_seconds(text, &got), ret, text);
	is(got, ret ? 77 : nanoseconds, "its value");
}

static void spin_is(const char *text, int ret, uint64_t nanoseconds)
{
	uint64_t got = 77;

	is(parse_time(text, &got), ret, text);
	is(got, ret ? 77 : nanoseconds, "its value");
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
	is(parse_name("0123456789012345678901234567890", got), 0, "31 characters");
	is(parse_name("01234567890123456789012345678901", got), -ERANGE, "32");
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

int main(void)
{
	spin_is("0", 0, 0);
	spin_is("20000", 0, 20000);
	spin_is("20000ns", 0, 20000);
	spin_is("50us", 0, 50000);
	spin_is("1ms", 0, 1000000);
	spin_is("", -EINVAL, 0);
	spin_is("us", -EINVAL, 0);
	spin_is("1s", 0, 1000000000);
	spin_is("1m", -EINVAL, 0);
	spin_is("1 us", -EINVAL, 0);
	spin_is("-1us", -EINVAL, 0);
	spin_is("18446744073709551615", 0, UINT64_MAX);
	spin_is("18446744073709551616", -ERANGE, 0);
	spin_is("18446744073709552us", -ERANGE, 0);

	time_is("never", 0, -1);
	time_is("0", 0, 0);
	time_is("30", 0, 30000000000);
	time_is("0.001", 0, 1000000);
	time_is("1.000000001", 0, 1000000001);
	time_is("1.0000000019", 0, 1000000001);
	time_is("9223372036.854775807", 0, INT64_MAX);
	time_is("9223372036.854775808", -ERANGE, 0);
	time_is("9223372037", -ERANGE, 0);
	time_is("99999999999999999999", -ERANGE, 0);
	time_is("", -EINVAL, 0);
	time_is(".5", -EINVAL, 0);
	time_is("1.", -EINVAL, 0);
	time_is("-1", -EINVAL, 0);
	time_is("1s", -EINVAL, 0);
	time_is("Never", -EINVAL, 0);

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
