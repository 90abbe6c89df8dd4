/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * Sizes and numbers: suffixes of 1024, and decimals as sizes are printed, no
 * overflow, and the result is left alone on failure.
 * cflags: -luuid
 */
#include "test.h"

#include "../../utils/abusectl/parse.c"

struct passwd *getpwnam(const char *name)
{
	(void)name;
	return NULL;
}

static void size_is(const char *text, int ret, uint64_t bytes)
{
	uint64_t got = 77;

	is(parse_size(text, &got), ret, text);
	is(got, ret ? 77 : bytes, "its value");
}

static void number_is(const char *text, int ret, uint64_t number)
{
	uint64_t got = 77;

	is(parse_number(text, &got), ret, text);
	is(got, ret ? 77 : number, "its value");
}

static void shown_as(uint64_t bytes, const char *text)
{
	char got[SIZE_TEXT];

	ok(!strcmp(format_size(bytes, got), text), "%llu is shown as %s, wanted %s",
	   (unsigned long long)bytes, got, text);
}

int main(void)
{
	unsigned int i;

	size_is("0", 0, 0);
	size_is("1", 0, 1);
	size_is("007", 0, 7);
	size_is("1K", 0, 1024);
	size_is("1k", 0, 1024);
	size_is("64M", 0, 64 << 20);
	size_is("3G", 0, 3ULL << 30);
	size_is("5T", 0, 5ULL << 40);
	size_is("18446744073709551615", 0, UINT64_MAX);
	size_is("16777215T", 0, 16777215ULL << 40);

	size_is("18446744073709551616", -ERANGE, 0);
	size_is("184467440737095516150", -ERANGE, 0);
	size_is("16777216T", -ERANGE, 0);
	size_is("18014398509481984K", -ERANGE, 0);

	size_is("", -EINVAL, 0);
	size_is("K", -EINVAL, 0);
	size_is("-1", -EINVAL, 0);
	size_is("+1", -EINVAL, 0);
	size_is(" 1", -EINVAL, 0);
	size_is("1 ", -EINVAL, 0);
	size_is("1P", 0, 1ULL << 50);
	size_is("15E", 0, 15ULL << 60);
	size_is("16E", -ERANGE, 0);
	size_is("1KiB", 0, 1024);
	size_is("2gib", 0, 2ULL << 30);
	size_is("1.5G", 0, 3ULL << 29);
	size_is("1.0 GiB", 0, 1ULL << 30);
	size_is("512 B", 0, 512);
	size_is("1.999999999999G", 0, 2147483646);
	size_is("1KB", -EINVAL, 0);
	size_is("1.5", -EINVAL, 0);
	size_is("1.G", -EINVAL, 0);
	size_is(".5G", -EINVAL, 0);
	size_is("1  G", -EINVAL, 0);
	size_is("1Ki", -EINVAL, 0);
	size_is("0x10", -EINVAL, 0);

	number_is("42", 0, 42);
	number_is("42K", -EINVAL, 0);
	number_is("", -EINVAL, 0);
	number_is("99999999999999999999", -ERANGE, 0);

	for (i = 0; i < 64; i++) {
		char text[SIZE_TEXT];

		size_is(format_size(1ULL << i, text), 0, 1ULL << i);
	}
	shown_as(0, "0 B");
	shown_as(1023, "1023 B");
	shown_as(1024, "1.0 KiB");
	shown_as(1ULL << 30, "1.0 GiB");
	shown_as(3ULL << 29, "1.5 GiB");
	shown_as(UINT64_MAX, "16.0 EiB");
	return done();
}
