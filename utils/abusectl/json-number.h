/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/* An unsigned number in JSON. json_object_new_uint64() is in json-c 0.14 and newer; Enterprise Linux 8 has 0.13. */
#ifndef ABUSECTL_JSON_NUMBER_H
#define ABUSECTL_JSON_NUMBER_H

#include <json-c/json.h>
#include <stdint.h>
#include <stdio.h>

static inline json_object *json_number(uint64_t number)
{
	char text[24];

	if (number <= INT64_MAX)
		return json_object_new_int64((int64_t)number);
	snprintf(text, sizeof(text), "%llu", (unsigned long long)number);
	return json_object_new_double_s((double)number, text);
}

#endif /* ABUSECTL_JSON_NUMBER_H */
