/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * The contract between abuse.ko and the processes that serve its disks.
 *
 * Copyright 2009 Zachary Amsden
 * Copyright 2026 the abuse authors
 * The part kept from 2009 is of the former, whose file said
 * "Redistribution of this file is permitted under the GNU General Public License."
 *
 * /dev/abuseN is the disk, /dev/abctlN its control node: every call in the
 * first two parts below goes there. /dev/abuse-control adds and removes
 * devices (third part). abuse(4) is the manual.
 *
 * Rules of growth: command numbers carry no size. A struct that may grow
 * begins with its size as the caller knows it, at least that of its first version
 * (EINVAL). Missing fields count as 0; unknown trailing bytes must be 0 (E2BIG).
 * Unknown flags (but ab_flags) and
 * non-zero reserved fields are EINVAL, an unknown command is ENOTTY. All
 * such structs are the same for 32-bit and 64-bit programs; pointers are
 * 64-bit integers. Numbers are host endian, sectors are units of 512 bytes.
 * Every call may be made from any number of threads and processes at once.
 *
 * Errors common to all calls on a control node: ENODEV the device was
 * removed; EPERM the disk is sealed, and this descriptor was opened by neither
 * CAP_SYS_ADMIN nor seal_uid (open, flock and the locks of fcntl then fail with
 * it, too); EFAULT a bad address; EINTR a signal came before anything was done
 * (the kernel never restarts the call by itself).
 *
 * Changes: 0.1.0 the 2009 interface; exchange, parameters, files, maps, abuse-control.
 */
#ifndef _UAPI_LINUX_ABUSE_H
#define _UAPI_LINUX_ABUSE_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define ABUSE_MAJOR		60	/* block nodes; local/experimental range */
#define ABUSECTL_MAJOR		61	/* control nodes */

/* ---- Kept from 2009, byte for byte ------------------------------------ */

/*
 * GET_STATUS   fills abuse_info.
 * SET_STATUS   sets an empty device up from ab_size (bytes, a multiple of
 *              ab_blocksize), ab_blocksize (as logical_block_size
 *              below), ab_max_queue (1 .. 512 requests, cut to hw_queues
 *              times depth) and READ_ONLY. EINVAL: out of range. On a
 *              device that is up: EBUSY, unless RECONNECT is passed; then
 *              size and block size must match (EINVAL) and the other two may
 *              change. EBUSY too while the empty disk is claimed, or when
 *              READ_ONLY is asked for while the disk is claimed. EFBIG: more
 *              than the kernel's sectors can count. ENXIO: without RECONNECT,
 *              as for SET_PARAMS.
 * SET_POLL     the argument is the value: 0 = poll reports readiness while any
 *              request that is not held is unanswered; 1 = only while one
 *              is there that no live descriptor was handed. Of this
 *              descriptor alone. EINVAL: another value. Both report it, too,
 *              while a device fails all I/O until a server asks (SET_PARAMS).
 * RESET        ends every request with EIO and empties the device.
 * GET_BIO      hands out the oldest request and moves it to the tail; it stays
 *              anyone's to answer. ENOMSG: the queue is empty.
 * PUT_BIO      answers. ENOMSG: no such request (any more); EINVAL: sector,
 *              command or vec_count differ; EFAULT: bad payload address (both:
 *              it stays queued); EBUSY: it is held through exchange.
 * GET_BIO and PUT_BIO give EOPNOTSUPP on a device whose set-up asked for
 * DISCARD, WRITE_ZEROES or FUA, which they cannot express.
 */
#define ABUSE_GET_STATUS	0x4120
#define ABUSE_SET_STATUS	0x4121
#define ABUSE_SET_POLL		0x4122
#define ABUSE_RESET		0x4123
#define ABUSE_GET_BIO		0x4124
#define ABUSE_PUT_BIO		0x4125

/* ab_flags; others are ignored, as in 2009 */
#define ABUSE_FLAGS_READ_ONLY	1
#define ABUSE_FLAGS_RECONNECT	2

/* 48 bytes, 44 for i386: the four after ab_max_vecs are never touched. */
struct abuse_info {
	__u64 ab_device;	/* r/o: number of the block device, as st_rdev */
	__u64 ab_size;		/* r/w: bytes */
	__u32 ab_number;	/* r/o: the N of /dev/abuseN */
	__u32 ab_flags;		/* r/w: ABUSE_FLAGS_* */
	__u32 ab_blocksize;	/* r/w: bytes */
	__u32 ab_max_queue;	/* r/w: requests counted and handed out at once */
	__u32 ab_queue_size;	/* r/o: requests unanswered, at most ab_max_queue */
	__u32 ab_errors;	/* r/o: requests that failed since set-up */
	__u32 ab_max_vecs;	/* r/o: most vecs of one request */
};

struct abuse_vec {
	__u64 ab_address;	/* PUT_BIO: where this piece is or goes */
	__u32 ab_len;		/* GET_BIO: bytes; ignored by PUT_BIO */
	__u32 ab_offset;	/* GET_BIO: offset in its first page */
};

struct abuse_xfr_hdr {
	__u64 ab_id;		/* opaque; never names another request */
	__u64 ab_sector;
	__u32 ab_command;	/* ABUSE_READ .. */
	__u32 ab_result;	/* PUT_BIO: ABUSE_RESULT_* */
	__u32 ab_vec_count;
	__u32 ab_vec_offset;	/* unused */
	__u64 ab_transfer_address; /* of ab_max_vecs struct abuse_vec, or 0 */
};

#define ABUSE_READ			0
#define ABUSE_WRITE			1
#define ABUSE_SYNC_NOTIFICATION		2	/* flush; vec_count 0 */

#define ABUSE_RESULT_OKAY		0
#define ABUSE_RESULT_MEDIA_FAILURE	1	/* this request fails */
#define ABUSE_RESULT_DEVICE_FAILURE	2	/* all requests fail */

/* ---- For servers now: exchange and parameters -------------------------- */

#define ABUSE_EXCHANGE		_IO('A', 0x26)	/* struct abuse_exchange */
#define ABUSE_SET_PARAMS	_IO('A', 0x27)	/* struct abuse_params */
#define ABUSE_GET_PARAMS	_IO('A', 0x28)	/* struct abuse_params */

#define ABUSE_MAX_ENTRIES	512	/* replies, and requests, in one call */
#define ABUSE_PAYLOAD_ALIGN	4096	/* bytes; of the buffer and its payloads */
#define ABUSE_MAX_REQUEST	(1U << 20) /* bytes; limit of max_request */

/* abuse_request.op */
#define ABUSE_OP_READ		0
#define ABUSE_OP_WRITE		1
#define ABUSE_OP_FLUSH		2
#define ABUSE_OP_DISCARD	3
#define ABUSE_OP_WRITE_ZEROES	4

/* abuse_request.flags */
#define ABUSE_REQ_FUA		(1U << 0)  /* make it durable before you complete it */
#define ABUSE_REQ_NOUNMAP	(1U << 1)  /* WRITE_ZEROES must not deallocate */
#define ABUSE_REQ_META		(1U << 2)  /* hint: file system metadata */
#define ABUSE_REQ_RAHEAD	(1U << 3)  /* hint: read ahead */
#define ABUSE_REQ_SYNC		(1U << 4)  /* hint: a process waits for it */
#define ABUSE_REQ_BACKGROUND	(1U << 5)  /* hint: background writeback */
#define ABUSE_REQ_ATOMIC	(1U << 6)  /* WRITE: all of it or, after a crash, none */

/*
 * A request. The descriptor that fetched it holds it: no other descriptor can
 * complete it. If the last reference to this descriptor is closed, or the process
 * that its first exchange bound it to has ended, the request returns to the front
 * of the queue under another id.
 */
struct abuse_request {
	__u64 id;		/* opaque; names this fetch of the request */
	__u32 op;		/* ABUSE_OP_* */
	__u32 flags;		/* ABUSE_REQ_* */
	__u64 sector;		/* first, in units of 512 bytes */
	__u64 length;		/* bytes */
	__u64 offset;		/* WRITE: of its payload in the buffer */
	/* The first version ended here (40 bytes); filled in if request_size is 48 or more */
	__u32 ioprio;		/* of the submitter, as ioprio_get(2) returns it */
	__u32 write_hint;	/* RWH_* of fcntl(2); 0: none, or the kernel has none */
};

/* abuse_reply.flags */
#define ABUSE_REPLY_ZERO	(1U << 0)  /* READ: the kernel fills in zeroes */
#define ABUSE_REPLY_REDIRECT	(1U << 1)  /* the kernel executes it on a file */
#define ABUSE_REPLY_STORE	(1U << 2)  /* WRITE: the kernel copies its data to address */

/*
 * result: 0, or an errno of EIO ENOSPC ETIMEDOUT ENODATA EILSEQ ENOLINK, or for
 * DISCARD and WRITE_ZEROES EOPNOTSUPP. For a READ with result 0 the kernel copies
 * length bytes from address, unless ZERO is set. With REDIRECT, result must be 0: the
 * kernel executes the request on the registered file, from byte address on. A
 * request with ATOMIC cannot be redirected (EINVAL).
 *
 * With STORE the kernel copies the data of a WRITE to address, also if it was fetched
 * without data, and the WRITE succeeds when all of it is there: one copy, into a store
 * that is memory and that every other server of the device reads. result must be 0, and
 * the request has neither FUA nor ATOMIC. If that memory is not durable, the device needs
 * WRITE_CACHE. After EFAULT a part of the data may be stored.
 *
 * status: 0 taken; ESTALE not (or no longer) held by this descriptor; EFAULT
 * address is bad; EINVAL result, flags or reserved are. After the last two
 * the request is still held: reply again.
 */
struct abuse_reply {
	__u64 id;
	__u64 address;
	__u32 result;
	__u32 flags;		/* ABUSE_REPLY_* */
	__u32 status;		/* out, positive errno */
	union {
		__u32 file;	/* with REDIRECT: index of a registered file */
		__u32 reserved;	/* else 0 */
	};
};

/*
 * Complete requests, fetch others, and wait for them.
 *
 * Replies come first, in order, each on its own; their statuses and nr_taken are
 * written back before any wait. Then the call fetches up to max_requests requests of
 * one hardware queue, the oldest first, until the payload of a WRITE does not fit. It
 * is the queue of the caller's processor if that has requests, but one call in eight
 * begins at another queue; the others take turns.
 * If there is no request, the call blocks up to wait ns and busy-polls for at most spin ns
 * of them. It does not block if a reply's status is EFAULT or EINVAL. Busy-polling ends
 * if another task wants the processor; one thread per hardware queue does it at a time.
 * After each 256 KiB of payload the call completes the requests so far, and lets other
 * tasks run.
 * It returns 0 if a reply was taken, a request was fetched, or the time is over
 * (nr_requests is 0 then).
 *
 * The first exchange binds the descriptor to the address space of its caller, and to the
 * present configuration of the device; a call that configures the device does so, too. After
 * RESET the descriptor cannot be used for the next configuration: a server that slept through
 * both cannot complete requests of another disk.
 *
 * Errors: EBUSY bound to another process (open your own descriptor); ENXIO
 * requests are asked for but the device is not configured, or was configured again
 * (open it again); EINVAL a stride that is too small, larger than 4096 or no multiple of
 * 8, more than 512 entries, a buffer that is not aligned or smaller than the
 * largest request, wait below -1, spin above 1 ms; E2BIG see above; ENOMEM. A
 * request whose entry, payload and count could not be written goes back to the
 * front of the queue (EFAULT, if nothing else was done).
 *
 * More than 28 replies, or requests, are processed in several batches. If the address
 * of a later batch of replies is bad, the call stops there: statuses of earlier
 * batches are written and counted in nr_taken, those of the bad batch and of all
 * after it may keep what the caller left in them. So a caller that may pass a bad
 * address sets each status to a value of its own, 0xffffffff say, before the call.
 */
struct abuse_exchange {
	__u32 size;		/* sizeof(struct abuse_exchange) */
	__u32 flags;		/* 0 */
	__u32 reply_size;	/* stride of replies: sizeof(struct abuse_reply) */
	__u32 request_size;	/* stride of requests: sizeof(struct abuse_request) */
	__u64 replies;		/* address of nr_replies entries */
	__u64 requests;		/* address of an array of max_requests entries */
	__u32 nr_replies;
	__u32 max_requests;
	__u32 nr_taken;		/* out: replies with status 0 */
	__u32 nr_requests;	/* out */
	__u64 buffer;		/* for WRITE payloads, 4096-aligned */
	__u64 buffer_size;	/* bytes; 0 = payloads are not wanted */
	__s64 wait;		/* nanoseconds; 0 = do not wait, -1 = no limit */
	__u64 spin;		/* nanoseconds to busy-poll, see above */
};

/*
 * REGISTER_FILE    lets replies through this descriptor REDIRECT to a regular file
 *                  or block device, at most 256 of them. EBADF: fd is no open
 *                  file, or is opened neither for reading nor for writing;
 *                  EINVAL: it is of another kind, or opened O_APPEND; ELOOP: it
 *                  is this disk or lies on it, directly or through files of other
 *                  abuse disks (a loop through other drivers, or through a file
 *                  system of several disks, is not detected); ETXTBSY: it is used
 *                  as swap space; EMFILE: there are 256; EPERM: the device is an
 *                  ordinary user's and the caller lacks CAP_SYS_ADMIN. Redirected
 *                  requests cannot time out, so a user could block them.
 * UNREGISTER_FILE  the argument is the index. Requests redirected before go on.
 *                  ENOENT: no file has this index.
 *
 * UNREGISTER_FILE, RESET, REMOVE and a smaller size return when the files are closed that they were
 * the last to use, so that their file systems can be unmounted; SIGKILL ends this wait. MAP does not wait
 * for that: a server may call it for a request that it holds.
 *
 * A redirected request can be neither cancelled nor timed out, and the death of its server
 * does not matter. RESET and REMOVE wait for it. If RESET is killed meanwhile (EINTR), the
 * device is unconfigured, and calls that configure it give EBUSY until the I/O of the file has
 * ended. The kernel uses
 * the credentials of the process that registered the file, and charges I/O to the cgroup
 * of the submitter, from Linux 5.14 on memory, too. With O_DIRECT, I/O is direct if
 * offset and memory are aligned to the blocks of the file. With FUA it is synchronous. A
 * READ across the end of the file fails with EIO. DISCARD makes a hole, WRITE_ZEROES a
 * hole or zeroes; FLUSH is fdatasync of the whole file. The status EINVAL means: there is
 * no such file, it was not opened for this operation, or the range is beyond the limit of
 * files or the RLIMIT_FSIZE of the server.
 */
#define ABUSE_REGISTER_FILE	_IO('A', 0x29)	/* struct abuse_file */
#define ABUSE_UNREGISTER_FILE	_IO('A', 0x2a)

struct abuse_file {
	__u32 size;		/* sizeof(struct abuse_file) */
	__u32 flags;		/* 0 */
	__s32 fd;		/* may be closed afterwards */
	__u32 index;		/* out: what replies call it */
};

/*
 * MAP      says where ranges of the disk lie in registered files. From then on the kernel
 *          serves a request alone if one range holds all of it and grants its operation,
 *          also if all servers are dead; all others go to servers. An entry replaces
 *          what it overlaps; with CLEAR it takes rights away. The call is checked as a
 *          whole before any entry takes effect, and returns when the requests that began
 *          under the former ranges have ended. EINTR: it was killed; the new map
 *          holds, and such requests may still run: the same call again waits for them.
 *          The map belongs to the configuration: RESET and REMOVE end it, closing the
 *          descriptor or UNREGISTER_FILE does not. If the disk shrinks, so does the map.
 *          Errors: EPERM an ordinary user's device; ENXIO it is not up, or was configured
 *          again since this descriptor served it by EXCHANGE; ENOENT no such file; EINVAL
 *          two entries overlap, a range beyond the disk or its file, rights that the file
 *          is not opened for, an offset that is no multiple of 512, a range beyond the
 *          caller's RLIMIT_FSIZE; ELOOP as for REGISTER_FILE; ENOMEM.
 * GET_MAP  fills in at most nr entries, those that end beyond sector, in their order; nr
 *          becomes how many. Neighbours are joined. ENXIO: the device is not up.
 *
 * FLUSH syncs the files to which mapped requests have written since their last sync, and then
 * goes to a server, unless WRITE is mapped for the whole disk. Before a server maps that, it makes
 * durable what it completed, or writes it to files of the map. FUA makes a WRITE
 * synchronous; without WRITE_CACHE each one is. After a sync has failed, each FLUSH fails
 * until the device is configured again. A request beyond the end of a file that was made
 * shorter fails (EIO).
 *
 * The submitter itself completes a READ of up to 128 KiB whose bytes are in the page cache of
 * the file, and at most 1 MiB of such READs for each plug (batch of requests), if the file is a
 * block device or lies on ext4, XFS, btrfs, f2fs or tmpfs, was not opened O_DIRECT, and its file
 * system has no fanotify mark that can deny access (before Linux 6.10: no mark of inotify or
 * fanotify at all; never on kernels that do not count these marks, such as early 5.10). All other
 * mapped I/O is done like redirected I/O.
 *
 * Copy-on-write: take WRITE away, copy, MAP the copy, reply to the WRITE.
 */
#define ABUSE_MAP		_IO('A', 0x2b)	/* struct abuse_map */
#define ABUSE_GET_MAP		_IO('A', 0x2c)	/* struct abuse_map */

/* abuse_map_entry.rights */
#define ABUSE_MAP_READ		(1U << 0)
#define ABUSE_MAP_WRITE		(1U << 1)
#define ABUSE_MAP_SHAPE		(1U << 2)  /* DISCARD and WRITE_ZEROES */

/* abuse_map_entry.flags */
#define ABUSE_MAP_CLEAR		(1U << 0)  /* take rights away; file and offset are 0 */

#define ABUSE_NO_FILE		0xffffffffU

struct abuse_map_entry {
	__u64 sector;		/* of the disk, in units of 512 bytes */
	__u64 sectors;
	__u64 offset;		/* in the file, in bytes, a multiple of 512 */
	__u32 file;		/* index of a registered file; GET_MAP: NO_FILE if it is not
				 * registered on this descriptor
				 */
	__u32 rights;		/* ABUSE_MAP_READ .. */
	__u32 flags;		/* ABUSE_MAP_CLEAR */
	__u32 reserved;		/* 0 */
	/* GET_MAP: of the file, as stat(2) has them; ignored by MAP */
	__u64 device;		/* that it is on or, if it is one itself, its own number */
	__u64 inode;		/* 0: a block device */
};

struct abuse_map {
	__u32 size;		/* sizeof(struct abuse_map) */
	__u32 flags;		/* 0 */
	__u64 entries;		/* address */
	__u32 nr;		/* of entries, 1 .. 512 */
	__u32 entry_size;	/* stride of entries: sizeof(struct abuse_map_entry) */
	__u64 sector;		/* GET_MAP: where to begin; MAP ignores it */
};

/* abuse_params.flags */
#define ABUSE_PARAMS_READ_ONLY	(1U << 0)
#define ABUSE_PARAMS_SEALED	(1U << 1)  /* CAP_SYS_ADMIN: trusted; see seal_uid */

/* abuse_params.features: what requests may reach a server */
#define ABUSE_F_WRITE_CACHE	(1ULL << 0)  /* FLUSH */
#define ABUSE_F_FUA		(1ULL << 1)  /* ABUSE_REQ_FUA; needs WRITE_CACHE */
#define ABUSE_F_DISCARD		(1ULL << 2)
#define ABUSE_F_WRITE_ZEROES	(1ULL << 3)
#define ABUSE_F_ROTATIONAL	(1ULL << 4)
#define ABUSE_F_REDIRECT	(1ULL << 5)  /* all_features: replies may REDIRECT */
#define ABUSE_F_STORE		(1ULL << 6)  /* all_features: replies may STORE */
#define ABUSE_F_ATOMIC		(1ULL << 7)  /* all_features: atomic_max may be set */
#define ABUSE_F_MAP		(1ULL << 8)  /* all_features: ranges may be mapped */

/* abuse_params.state */
#define ABUSE_S_EMPTY		0	/* unconfigured */
#define ABUSE_S_UP		1
#define ABUSE_S_DYING		2

#define ABUSE_NAME_LEN		32	/* with the final 0: [A-Za-z0-9._-]{1,31} */
#define ABUSE_STORE_LEN		64	/* with the final 0; no control characters */

/*
 * SET_PARAMS configures an unconfigured device (EBUSY while the disk is claimed or a
 * partition of it is open), or changes one that is up: capacity, queue_limit, timeout and
 * READ_ONLY may then differ, any other field must be 0 or have its present value (EBUSY).
 * 0 means the default, or on a device that is up the present value; flags always count.
 * A name or UUID can be given once, at add or here (EEXIST if taken). store is
 * a label that names the store of the disk. The kernel shows it in sysfs and does not
 * interpret it. It belongs to the configuration: RESET removes it.
 * Errors: EINVAL a value outside the range given below; EPERM SEALED without
 * CAP_SYS_ADMIN, or more time than user_timeout on an ordinary user's device;
 * ENXIO it is up, and was configured again since this descriptor served it by EXCHANGE;
 * EBUSY see above, READ_ONLY while the disk is claimed, or SEALED while a user
 * without CAP_SYS_ADMIN has the disk open; EFBIG capacity; EOPNOTSUPP this kernel
 * cannot do atomic writes; E2BIG.
 *
 * GET_PARAMS fills the struct in; fields that the kernel does not know become 0. A timeout
 * that was never given is 0.
 *
 * When all I/O of a device fails at once (module parameters in quotes):
 * - A user's device: when its oldest request is older than the time-out, or when requests
 *   waited all through one "user_timeout" and it completed less than both
 *   "user_floor" bytes and "user_floor_requests" requests. Until one more "user_timeout"
 *   has passed and a server then asks for requests.
 * - Any device, unless timeout is -1: when nobody has served it and nobody has claimed its
 *   disk (an exclusive open: mount, swap, md, dm) for "unserved_timeout" since a
 *   request was queued. Until a server asks for requests, or a claim begins.
 * A server asks by EXCHANGE with max_requests above 0, or by GET_BIO; an empty result
 * counts, and a server that sleeps in EXCHANGE is woken for it. Poll does not count, but
 * reports readiness when it is time to ask. A server serves from its first such call in
 * this configuration until its descriptor is closed or its process has ended.
 *
 * The first version of this struct ended with depth (176 bytes). Callers that
 * pass that size keep working: the fields after depth then count as 0.
 */
struct abuse_params {
	__u32 size;		/* sizeof(struct abuse_params) */
	__u32 flags;		/* ABUSE_PARAMS_* */
	__u64 features;		/* ABUSE_F_* */
	__u64 capacity;		/* bytes, a multiple of logical_block_size */
	/* 512 .. page size (64 KiB from Linux 6.15 on, with transparent huge pages) */
	__u32 logical_block_size;  /* power of two, <= max_request; default 512 */
	__u32 physical_block_size; /* power of two, >= logical; default logical */
	__u32 io_min;		/* bytes, multiple of physical; default physical */
	__u32 io_opt;		/* bytes, multiple of io_min; default 0 */
	__u32 max_request;	/* bytes, 4096 (the page size, if that is more) .. 1 MiB,
				 * multiple of 4096; default 1 MiB
				 */
	__u32 chunk;		/* bytes no request crosses a multiple of, which
				 * bounds the next two; power of two, >= 4096
				 * and >= logical; default 0 = none. Discards that the block
				 * layer joined across one are dropped.
				 */
	__u64 max_discard;	/* bytes in one request, at least the granularity
				 * and a physical block; default 2 GiB
				 */
	__u64 max_write_zeroes;	/* bytes in one request; default 2 GiB */
	__u32 discard_granularity; /* bytes, power of two; default physical */
	__u32 queue_limit;	/* 1 .. hw_queues * depth; default all */
	__s64 timeout;		/* nanoseconds until a request that is not completed fails
				 * with EIO, at least 1 ms; 0 = default: none, on a user's
				 * device user_timeout; -1 = never, with or without a server.
				 * See below.
				 */
	__u32 seal_uid;		/* with SEALED: the user who may serve, beside CAP_SYS_ADMIN */
	__u32 reserved;		/* 0 */
	char  name[ABUSE_NAME_LEN];
	__u8  uuid[16];
	/* all_features to depth: out only, ignored by SET_PARAMS */
	__u64 all_features;	/* ABUSE_F_* this kernel can do */
	__u64 all_ops;		/* bit n: ABUSE_OP_n this kernel can do */
	__u32 number;		/* N of /dev/abuseN */
	__u32 state;		/* ABUSE_S_* */
	__u32 owner;		/* uid; 0 = root's and the group's */
	__u32 trusted;		/* 1 = up and sealed */
	__u32 hw_queues;
	__u32 depth;		/* requests per hardware queue */
	/* read by SET_PARAMS again */
	/*
	 * Submitters may ask that a write of atomic_min to atomic_max bytes is stored
	 * as a whole (RWF_ATOMIC). It then comes as one request, with ABUSE_REQ_ATOMIC.
	 * Powers of two, atomic_min >= logical_block_size, atomic_max <= max_request
	 * and chunk. Defaults: atomic_min is the logical block size if atomic_max is
	 * given; atomic_max is 0, which means no atomic writes.
	 */
	__u32 atomic_min;	/* bytes */
	__u32 atomic_max;	/* bytes; the kernel may offer submitters less */
	char  store[ABUSE_STORE_LEN]; /* label of the store; "" = none */
};

/* ---- /dev/abuse-control ------------------------------------------------ */

/*
 * ADD      makes a device. One that a caller without CAP_SYS_ADMIN adds is that
 *          user's. Errors: EEXIST number, name or UUID is taken; EINVAL a value out
 *          of range or a bad name; ENOSPC max_abuse, no number left, or none so
 *          high; EDQUOT the user has as many devices or requests as the parameters
 *          user_devices and user_depth allow; EPERM OWNER, or the caller is root,
 *          without CAP_SYS_ADMIN. With params the call also configures the device as
 *          SET_PARAMS does, before its disk appears; errors of SET_PARAMS. With OPEN the
 *          call returns
 *          a descriptor of the control node (O_RDWR, O_CLOEXEC), which needs no node and
 *          serves that configuration, else 0; EMFILE and ENFILE as for open(2).
 *          The inode of the descriptor is its own: a lock on it does not conflict with
 *          locks on the node. After any error there is neither a device nor a descriptor.
 * REMOVE   the argument is the number. Only the owner or CAP_SYS_ADMIN (EPERM).
 *          EBUSY: the disk is open. ENODEV: no such device.
 * GET_FREE returns the number of an unconfigured device whose disk is not open and that
 *          the caller may serve, adding one if there is none (errors as for ADD).
 */
#define ABUSE_CTL_ADD		_IO('A', 0x2d)	/* struct abuse_add */
#define ABUSE_CTL_REMOVE	_IO('A', 0x2e)
#define ABUSE_CTL_GET_FREE	_IO('A', 0x2f)

#define ABUSE_ADD_OWNER		(1U << 0)	/* owner counts; CAP_SYS_ADMIN */
#define ABUSE_ADD_OPEN		(1U << 1)	/* return a descriptor */
#define ABUSE_NUMBER_ANY	0xffffffffU

struct abuse_add {
	__u32 size;		/* sizeof(struct abuse_add) */
	__u32 flags;		/* ABUSE_ADD_* */
	__u32 number;		/* in: wanted, or ANY; out: of the new device */
	__u32 hw_queues;	/* 1 .. 64, of which the kernel makes no more than it
				 * has processors; default 1
				 */
	__u32 depth;		/* requests per queue, 1 .. 1024; default 512 */
	__u32 owner;		/* with ABUSE_ADD_OWNER: uid */
	char  name[ABUSE_NAME_LEN]; /* "" = none */
	__u8  uuid[16];		/* all 0 = none */
	/* The first version ended here (72 bytes) */
	__u64 params;		/* address of a struct abuse_params; 0 = do not configure */
};

#endif /* _UAPI_LINUX_ABUSE_H */
