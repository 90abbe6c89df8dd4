/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * The structs have the offsets and sizes of the contract: those of 2009 as
 * they were, the newer ones alike for 32-bit and 64-bit programs; the command
 * numbers are what they were.
 */
/* build: m32 */
#include "abuse.h"

#define AT(type, member, offset)					\
	_Static_assert(offsetof(struct type, member) == (offset),	\
		       #type "." #member " is not at " #offset)
#define SIZE(type, bytes)						\
	_Static_assert(sizeof(struct type) == (bytes), "size of " #type)

AT(abuse_info, ab_device, 0);
AT(abuse_info, ab_size, 8);
AT(abuse_info, ab_number, 16);
AT(abuse_info, ab_flags, 20);
AT(abuse_info, ab_blocksize, 24);
AT(abuse_info, ab_max_queue, 28);
AT(abuse_info, ab_queue_size, 32);
AT(abuse_info, ab_errors, 36);
AT(abuse_info, ab_max_vecs, 40);
#ifdef __i386__
SIZE(abuse_info, 44);
#else
SIZE(abuse_info, 48);
#endif

AT(abuse_vec, ab_address, 0);
AT(abuse_vec, ab_len, 8);
AT(abuse_vec, ab_offset, 12);
SIZE(abuse_vec, 16);

AT(abuse_xfr_hdr, ab_id, 0);
AT(abuse_xfr_hdr, ab_sector, 8);
AT(abuse_xfr_hdr, ab_command, 16);
AT(abuse_xfr_hdr, ab_result, 20);
AT(abuse_xfr_hdr, ab_vec_count, 24);
AT(abuse_xfr_hdr, ab_vec_offset, 28);
AT(abuse_xfr_hdr, ab_transfer_address, 32);
SIZE(abuse_xfr_hdr, 40);

AT(abuse_request, id, 0);
AT(abuse_request, op, 8);
AT(abuse_request, flags, 12);
AT(abuse_request, sector, 16);
AT(abuse_request, length, 24);
AT(abuse_request, offset, 32);
AT(abuse_request, ioprio, 40);
AT(abuse_request, write_hint, 44);
SIZE(abuse_request, 48);

AT(abuse_reply, id, 0);
AT(abuse_reply, address, 8);
AT(abuse_reply, result, 16);
AT(abuse_reply, flags, 20);
AT(abuse_reply, status, 24);
AT(abuse_reply, reserved, 28);
AT(abuse_reply, file, 28);
SIZE(abuse_reply, 32);

AT(abuse_file, size, 0);
AT(abuse_file, flags, 4);
AT(abuse_file, fd, 8);
AT(abuse_file, index, 12);
SIZE(abuse_file, 16);

AT(abuse_exchange, size, 0);
AT(abuse_exchange, flags, 4);
AT(abuse_exchange, reply_size, 8);
AT(abuse_exchange, request_size, 12);
AT(abuse_exchange, replies, 16);
AT(abuse_exchange, requests, 24);
AT(abuse_exchange, nr_replies, 32);
AT(abuse_exchange, max_requests, 36);
AT(abuse_exchange, nr_taken, 40);
AT(abuse_exchange, nr_requests, 44);
AT(abuse_exchange, buffer, 48);
AT(abuse_exchange, buffer_size, 56);
AT(abuse_exchange, wait, 64);
AT(abuse_exchange, spin, 72);
SIZE(abuse_exchange, 80);

AT(abuse_params, size, 0);
AT(abuse_params, flags, 4);
AT(abuse_params, features, 8);
AT(abuse_params, capacity, 16);
AT(abuse_params, logical_block_size, 24);
AT(abuse_params, physical_block_size, 28);
AT(abuse_params, io_min, 32);
AT(abuse_params, io_opt, 36);
AT(abuse_params, max_request, 40);
AT(abuse_params, chunk, 44);
AT(abuse_params, max_discard, 48);
AT(abuse_params, max_write_zeroes, 56);
AT(abuse_params, discard_granularity, 64);
AT(abuse_params, queue_limit, 68);
AT(abuse_params, timeout, 72);
AT(abuse_params, seal_uid, 80);
AT(abuse_params, reserved, 84);
AT(abuse_params, name, 88);
AT(abuse_params, uuid, 120);
AT(abuse_params, all_features, 136);
AT(abuse_params, all_ops, 144);
AT(abuse_params, number, 152);
AT(abuse_params, state, 156);
AT(abuse_params, owner, 160);
AT(abuse_params, trusted, 164);
AT(abuse_params, hw_queues, 168);
AT(abuse_params, depth, 172);
AT(abuse_params, atomic_min, 176);
AT(abuse_params, atomic_max, 180);
AT(abuse_params, store, 184);
SIZE(abuse_params, 248);

AT(abuse_add, size, 0);
AT(abuse_add, flags, 4);
AT(abuse_add, number, 8);
AT(abuse_add, hw_queues, 12);
AT(abuse_add, depth, 16);
AT(abuse_add, owner, 20);
AT(abuse_add, name, 24);
AT(abuse_add, uuid, 56);
AT(abuse_add, params, 72);
SIZE(abuse_add, 80);

_Static_assert(ABUSE_GET_STATUS == 0x4120 && ABUSE_SET_STATUS == 0x4121 &&
	       ABUSE_SET_POLL == 0x4122 && ABUSE_RESET == 0x4123 &&
	       ABUSE_GET_BIO == 0x4124 && ABUSE_PUT_BIO == 0x4125,
	       "numbers of 2009");
_Static_assert(ABUSE_EXCHANGE == 0x4126 && ABUSE_SET_PARAMS == 0x4127 &&
	       ABUSE_GET_PARAMS == 0x4128 && ABUSE_CTL_ADD == 0x412d &&
	       ABUSE_CTL_REMOVE == 0x412e && ABUSE_CTL_GET_FREE == 0x412f,
	       "numbers without a size");
_Static_assert(ABUSE_FLAGS_READ_ONLY == 1 && ABUSE_FLAGS_RECONNECT == 2 &&
	       ABUSE_READ == 0 && ABUSE_WRITE == 1 &&
	       ABUSE_SYNC_NOTIFICATION == 2 && ABUSE_RESULT_OKAY == 0 &&
	       ABUSE_RESULT_MEDIA_FAILURE == 1 &&
	       ABUSE_RESULT_DEVICE_FAILURE == 2, "values of 2009");
_Static_assert(ABUSE_MAJOR == 60 && ABUSECTL_MAJOR == 61, "majors of 2009");

int main(void)
{
	ok(true, "every offset, size and number was checked by the compiler");
	return done();
}
