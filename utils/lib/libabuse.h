/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libabuse: control abuse devices and serve them, without knowing ioctls.
 *
 * Functions return 0 (or what is said) on success and -errno on failure; none
 * prints or exits. Three parts: control commands (ctl.c), finding devices
 * (dev.c), serving (serve.c). A server of one screen needs the last alone:
 * abuse_worker_alloc, a struct abuse_ops, abuse_worker_run.
 *
 * All releases 0.x share one ABI, that of libabuse.so.0: functions are added and
 * keep what they mean. What may grow are the structs abuse_dev, abuse_ops,
 * abuse_counts and abuse_worker, into the space that each reserves: programs
 * leave it zero, and the sizes stay. Structs of <linux/abuse.h> grow by its rules.
 */
#ifndef LIBABUSE_H
#define LIBABUSE_H

#include <linux/abuse.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

/* ---- ctl.c: a function per control command ------------------------------ */

/*
 * abuse_ctl_add() - make a device
 * @add: number (or ABUSE_NUMBER_ANY), name and the rest; size is filled in here
 *
 * The number it became is left in @add->number. These three open
 * /dev/abuse-control; its errors and those of open(2) are theirs.
 */
int abuse_ctl_add(struct abuse_add *add);

/* abuse_ctl_remove() - remove device @number; -EBUSY while its disk is open */
int abuse_ctl_remove(unsigned int number);

/* abuse_ctl_get_free() - the number of an empty device, added if need be */
int abuse_ctl_get_free(void);

/*
 * The rest of this part is about the one device whose control node @fd is; values
 * and errors are those that <linux/abuse.h> tells of each call.
 */

/* abuse_ctl_get_status() - what 2009 knew of a device */
int abuse_ctl_get_status(int fd, struct abuse_info *info);

/* abuse_ctl_set_status() - set up as in 2009, or reconnect; -EBUSY when it is up */
int abuse_ctl_set_status(int fd, const struct abuse_info *info);

/*
 * abuse_ctl_get_params() - all the parameters of a device
 *
 * What an older module does not know is left zero; the size is filled in here.
 */
int abuse_ctl_get_params(int fd, struct abuse_params *params);

/*
 * abuse_ctl_set_params() - set an empty device up, or change one that is up
 *
 * The size is filled in here. -EPERM: sealing is for CAP_SYS_ADMIN alone.
 */
int abuse_ctl_set_params(int fd, struct abuse_params *params);

/* abuse_ctl_set_poll() - which requests make @fd readable: mode 0 or 1 */
int abuse_ctl_set_poll(int fd, unsigned int mode);

/* abuse_ctl_reset() - end every request with EIO and empty the device */
int abuse_ctl_reset(int fd);

/* abuse_ctl_get_bio() - hand out the oldest request; -ENOMSG when there is none */
int abuse_ctl_get_bio(int fd, struct abuse_xfr_hdr *hdr);

/* abuse_ctl_put_bio() - answer what abuse_ctl_get_bio() handed out */
int abuse_ctl_put_bio(int fd, struct abuse_xfr_hdr *hdr);

/* ---- dev.c: finding devices and their nodes ------------------------------ */

#define ABUSE_MAX_NUMBER	((1U << 20) - 1)
#define ABUSE_UUID_TEXT		37	/* with the final 0 */

/* What sysfs tells of a device; an attribute that is not there reads 0 or "". */
struct abuse_dev {
	uint64_t number;
	uint64_t size;			/* bytes */
	char	 state[8];		/* empty, up, dying */
	char	 name[ABUSE_NAME_LEN];
	char	 uuid[ABUSE_UUID_TEXT];
	uint64_t owner;			/* uid */
	uint64_t trusted;
	uint64_t ready;			/* a server waited since set-up */
	uint64_t read_only;
	uint64_t block_size;		/* logical */
	uint64_t queue_limit;
	uint64_t hw_queues;
	uint64_t depth;
	uint64_t queued;		/* requests nobody holds */
	uint64_t held;			/* requests servers hold */
	uint64_t served;
	uint64_t errors;
	uint64_t returned;		/* by servers that died */
	uint64_t oldest_ms;		/* age of the oldest request */
	uint64_t reserved[8];
};

/* abuse_dev_is_loaded() - is the module there? */
bool abuse_dev_is_loaded(void);

/* abuse_dev_stat() - fill @dev from sysfs, opening no node; -ENODEV */
int abuse_dev_stat(unsigned int number, struct abuse_dev *dev);

/*
 * abuse_dev_each() - call @fn for every device, by number, until one returns
 * other than 0, which is then returned; -ENODEV when the module is not loaded
 */
int abuse_dev_each(int (*fn)(const struct abuse_dev *dev, void *arg), void *arg);

/*
 * abuse_dev_find() - the number that @text names
 * @text: a number, abuseN or abctlN, the path of either node or of a link to
 *	  it, or a device's name
 *
 * -ENODEV when nothing is called that, -EINVAL when it is something else.
 * A number need not exist yet: opening tells.
 */
int abuse_dev_find(const char *text);

/* abuse_dev_open() - open the control node of what @text names; a descriptor */
int abuse_dev_open(const char *text);

/* ---- serve.c: fetch and answer -------------------------------------------- */

/*
 * What a server does. Offsets and lengths are bytes. Each returns 0 or -errno
 * (which becomes a result the kernel allows); read may return ABUSE_ZEROES
 * instead of filling @to. An operation that is missing is answered EOPNOTSUPP
 * or EIO, a missing flush 0.
 *
 * flush makes durable everything any server answered before. abuse_worker_run()
 * calls it for FLUSH, after a write with FUA and, on a device without a write
 * cache, after every write; those are answered only when it has returned.
 */
#define ABUSE_ZEROES	1

struct abuse_ops {
	int (*read)(void *arg, void *to, uint64_t offset, uint64_t length);
	int (*write)(void *arg, const void *from, uint64_t offset, uint64_t length);
	int (*discard)(void *arg, uint64_t offset, uint64_t length);
	int (*write_zeroes)(void *arg, uint64_t offset, uint64_t length,
			    bool may_unmap);
	int (*flush)(void *arg);
	void (*reserved[8])(void);	/* NULL */
};

/* Written by the worker alone; others read them at any time. */
struct abuse_counts {
	uint64_t calls;			/* exchanges */
	uint64_t ops[5];		/* answered, by ABUSE_OP_* */
	uint64_t read_bytes;
	uint64_t written_bytes;
	uint64_t errors;		/* answered other than 0 */
	uint64_t stale;			/* answered too late: ended, or returned */
	uint64_t reserved[6];
};

/*
 * One server thread's requests, replies and buffers. The fields are for
 * programs that drive the loop themselves; nothing here is shared.
 */
struct abuse_worker {
	int fd;				/* control node; workers may share it */
	bool write_through;		/* no write cache: each write is durable */
	unsigned int depth;		/* most requests to fetch at once */
	unsigned int nr_requests;
	unsigned int nr_replies;
	struct abuse_request *requests;
	struct abuse_reply *replies;
	unsigned char *payload;		/* of the WRITEs fetched last */
	unsigned char *arena;		/* of READs, until they are answered */
	size_t arena_used;
	struct abuse_counts counts;
	void *reserved[8];
};

/*
 * abuse_worker_alloc() - get everything @worker needs to serve @fd
 * @depth: most requests to fetch at once, 1 to 256
 * @payload: whether WRITEs come with their bytes
 *
 * This is the only allocation: serving makes none. The device's write cache is
 * looked up here, so the device must be up (-ENXIO).
 */
int abuse_worker_alloc(struct abuse_worker *worker, int fd, unsigned int depth,
		       bool payload);

/* abuse_worker_free() - the opposite; what is held stays so until @fd is closed */
void abuse_worker_free(struct abuse_worker *worker);

/*
 * abuse_worker_fetch() - send the replies collected, fetch the next requests
 * @wait: nanoseconds to wait for one, 0 = do not, -1 = for ever
 *
 * Returns how many of worker->requests are new, 0 when the time is over.
 * -EINTR: nothing was done; -ENXIO: the device was reset; -ENODEV: removed.
 * All requests fetched before must have been replied to: payloads are gone.
 */
int abuse_worker_fetch(struct abuse_worker *worker, int64_t wait);

/* abuse_worker_answer() - send the replies collected, fetch nothing */
int abuse_worker_answer(struct abuse_worker *worker);

/*
 * abuse_worker_reply() - collect a reply for the next fetch or answer
 * @result: 0, -errno, or ABUSE_ZEROES
 * @data: of a READ that succeeded: its bytes, to be kept until then
 */
void abuse_worker_reply(struct abuse_worker *worker,
			const struct abuse_request *req, int result,
			const void *data);

/*
 * abuse_worker_run() - serve until *@stop
 *
 * Returns 0 after *@stop became true and all that was held is answered, or the
 * error that ended it. Setting *@stop does not interrupt a wait: send the
 * thread a signal that has a handler, again until it returned.
 */
int abuse_worker_run(struct abuse_worker *worker, const struct abuse_ops *ops,
		     void *arg, const bool *stop);

/*
 * abuse_serve_prepare() - make this process fit to serve under memory pressure
 *
 * Declares it an I/O flusher (needs CAP_SYS_RESOURCE) and locks its memory.
 * Call it after buffers are allocated and before threads are started. Returns
 * which of both hold; without them nothing is promised under swap or reclaim.
 */
#define ABUSE_IS_FLUSHER	1
#define ABUSE_IS_LOCKED		2
unsigned int abuse_serve_prepare(void);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif /* LIBABUSE_H */
