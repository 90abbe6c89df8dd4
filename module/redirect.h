/* SPDX-License-Identifier: GPL-2.0-only */
/* Copyright (C) 2026 the abuse authors */
/* A redirected request: redirect.c begins and ends it, redirect_io.c does its I/O. */
#ifndef ABUSE_REDIRECT_H
#define ABUSE_REDIRECT_H

#include "abuse.h"

/* One per slot. */
struct abuse_redirect {
	struct abuse_device *dev;
	struct abuse_job job;
	struct kiocb iocb;
	struct iov_iter iter;
	struct abuse_target *target;	/* NULL: a FLUSH for all files of the map */
	struct bio *bio;	/* in progress */
	size_t done;		/* bytes of bio that were transferred */
	loff_t pos;		/* in the file, of the next byte */
	ssize_t result;		/* of asynchronous I/O; at the end, of the request */
	atomic_t nr_users;	/* of iocb: the submitter and the completion */
	bool under_way;		/* I/O was started */
	bool refused;		/* the file refused direct I/O: use the page cache */
	bool mapped;		/* by the map, not by a reply */
	bool is_whole;		/* FLUSH: as the map's, before the files were synced */
	u32 seq;		/* of the map, when it was looked up */
	u64 sector;		/* of the disk */
	u64 end;
};

static inline struct abuse_slot *abuse_redirect_slot(const struct abuse_redirect *r)
{
	return &r->dev->slots[r - r->dev->redirects];
}

bool abuse_redirect_io(struct abuse_redirect *r, struct request *rq);

#endif /* ABUSE_REDIRECT_H */
