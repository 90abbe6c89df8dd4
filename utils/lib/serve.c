// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Serving, read top to bottom: queue_turn() takes back what was answered elsewhere,
 * exchanges the replies for new requests, and run_todo() has each done by its
 * callback; settle() makes a reply of the answer, or keeps it until what it wrote is
 * durable. One thread per queue, no lock, no allocation on the way.
 *
 * A WRITE is answered only after the callback has stored it, so a server may be
 * killed at any instant: what it did not answer, another is handed again.
 */
#include "internal.h"

#define SECTOR_SHIFT	9

static void take_done(struct queue *queue);
static int run_todo(struct queue *queue);
static int flush_late(struct queue *queue);
static int exchange(struct queue *queue, unsigned int max_requests, int64_t wait);
static void adopt(struct queue *queue, unsigned int nr);

static bool is_ended(const struct queue *queue)
{
	const struct abuse_server *srv = queue->srv;

	return LOAD(srv->is_stopped) &&
	       (queue->nr_free == queue->nr_slots ||
		(LOAD(srv->is_abandoned) && !queue->nr_replies));
}

/* There are slots for all that comes even if no reply is taken. */
static unsigned int room_for_more(const struct queue *queue)
{
	unsigned int held = queue->nr_slots - queue->nr_free - queue->nr_replies;
	unsigned int depth = queue->srv->config.depth;

	if (queue->todo.first || held >= depth)
		return 0;
	return depth - held < queue->nr_free ? depth - held : queue->nr_free;
}

int queue_turn(struct queue *queue, int64_t wait)
{
	int ret;

	take_done(queue);
	ret = run_todo(queue);
	if (!ret && queue->late.first)
		ret = flush_late(queue);
	if (ret < 0)
		return ret;
	if (is_ended(queue))
		return -ESHUTDOWN;

	if (queue->nr_async || queue->late.first || queue->todo.first)
		wait = 0;
	ret = exchange(queue, room_for_more(queue), wait);
	if (ret < 0)
		return ret;
	adopt(queue, (unsigned int)ret);
	ret = run_todo(queue);
	if (ret < 0)
		return ret;
	return queue->nr_replies || queue->late.first || is_ended(queue);
}

/* ---- what callbacks do, and what becomes of it ---- */

static void settle(struct queue *queue, struct slot *slot, int result);

/* Counters have one writer; readers in other threads see whole values. */
static void count(uint64_t *counter, uint64_t more)
{
	SET(*counter, *counter + more);
}

/* The slot is the callback's until it returns, or longer if it says so. */
static void begin(struct queue *queue, struct slot *slot,
		  int (*callback)(struct abuse_req *req))
{
	int result;

	SET(slot->state, SLOT_BEGUN);
	result = callback(&slot->req);
	if (result == ABUSE_ASYNC) {
		queue->nr_async++;
		return;
	}
	if (slot_claim(slot)) {
		settle(queue, slot, result);
		return;
	}
	/* abuse_req_done() was called, too: it comes back from there. */
	slot->is_spoiled = true;
	queue->nr_async++;
}

static void run(struct queue *queue, struct slot *slot)
{
	const struct abuse_ops *ops = &queue->srv->ops;
	int (*callback)(struct abuse_req *req) = NULL;
	int without = -EIO;

	switch (slot->req.op) {
	case ABUSE_OP_READ:
		callback = ops->pread;
		break;
	case ABUSE_OP_WRITE:
		callback = ops->pwrite;
		break;
	case ABUSE_OP_FLUSH:
		without = 0;		/* flush_late() calls it, for all at once */
		break;
	case ABUSE_OP_DISCARD:
		callback = ops->trim;
		without = -EOPNOTSUPP;
		break;
	case ABUSE_OP_WRITE_ZEROES:
		callback = ops->zero;
		without = -EOPNOTSUPP;
		break;
	}
	if (callback)
		begin(queue, slot, callback);
	else
		settle(queue, slot, without);
}

/* The result for @err that the kernel allows for @op. */
static uint32_t allowed_result(uint32_t op, int err)
{
	switch (err) {
	case 0:
	case ENOSPC:
	case ETIMEDOUT:
	case ENODATA:
	case EILSEQ:
	case ENOLINK:
		return (uint32_t)err;
	case EDQUOT:
	case EFBIG:
		return ENOSPC;
	case EOPNOTSUPP:
		if (op == ABUSE_OP_DISCARD || op == ABUSE_OP_WRITE_ZEROES)
			return EOPNOTSUPP;
		break;
	}
	return EIO;
}

static void count_reply(struct abuse_counts *counts, const struct slot *slot,
			const struct abuse_reply *reply)
{
	uint32_t op = slot->req.op;

	if (op < sizeof(counts->ops) / sizeof(*counts->ops))
		count(&counts->ops[op], 1);
	if (reply->result)
		count(&counts->errors, 1);
	else if (op == ABUSE_OP_READ)
		count(&counts->read_bytes, slot->req.length);
	else if (op == ABUSE_OP_WRITE)
		count(&counts->written_bytes, slot->req.length);
	if (reply->flags & ABUSE_REPLY_REDIRECT)
		count(&counts->redirected, 1);
}

static void reply(struct queue *queue, struct slot *slot, int result)
{
	struct abuse_reply *to = &queue->replies[queue->nr_replies];

	queue->replied[queue->nr_replies++] = slot;
	*to = (struct abuse_reply) { .id = slot->id };
	if (result < 0) {
		to->result = allowed_result(slot->req.op, -result);
	} else if (result == ABUSE_ZEROES) {
		to->flags = ABUSE_REPLY_ZERO;
	} else if (slot->is_redirected) {
		to->flags = ABUSE_REPLY_REDIRECT;
		to->address = slot->target;
		to->file = slot->file;
	} else if (slot->req.op == ABUSE_OP_READ) {
		to->address = (uintptr_t)slot->req.data;
	}
	count_reply(&queue->counts, slot, to);
}

/* Must a flush come before the reply? The kernel sees to what it does itself. */
static bool is_late(const struct queue *queue, const struct slot *slot)
{
	const struct abuse_server *srv = queue->srv;

	if (!srv->ops.flush)
		return false;
	switch (slot->req.op) {
	case ABUSE_OP_FLUSH:
		return true;
	case ABUSE_OP_WRITE:
	case ABUSE_OP_WRITE_ZEROES:
		return slot->req.flags & ABUSE_REQ_FUA && !slot->is_redirected &&
		       !(srv->config.flags & ABUSE_SERVER_FUA);
	}
	return false;
}

/* The flush of @leader is over, and with it that of all who shared it. */
static void settle_flushed(struct queue *queue, struct slot *leader, int result)
{
	struct slot *slot, *next;

	for (slot = leader->followers; slot; slot = next) {
		next = slot->next;
		slot->is_redirected = leader->is_redirected && !result;
		slot->file = leader->file;
		slot->target = leader->target;
		/* The kernel flushes for a FLUSH alone. */
		reply(queue, slot, slot->is_redirected &&
		      slot->req.op != ABUSE_OP_FLUSH ? -EIO : result);
	}
	reply(queue, leader, result);
}

static void settle(struct queue *queue, struct slot *slot, int result)
{
	result = slot_judge(slot, result);
	if (slot->is_flushing)
		settle_flushed(queue, slot, result);
	else if (!result && is_late(queue, slot))
		list_add(&queue->late, slot);
	else
		reply(queue, slot, result);
}

/* Oldest first, which the stack has last. */
static void take_done(struct queue *queue)
{
	struct slot *slot, *next, *order = NULL;

	if (!queue->nr_async || !LOAD(queue->done))
		return;
	for (slot = SWAP(queue->done, NULL); slot; slot = next) {
		next = slot->next;
		slot->next = order;
		order = slot;
	}
	for (slot = order; slot; slot = next) {
		next = slot->next;
		queue->nr_async--;
		settle(queue, slot, slot->result);
	}
}

static int answer(struct queue *queue)
{
	int ret = 0;

	/* What is refused is answered once more. */
	while (queue->nr_replies && ret >= 0)
		ret = exchange(queue, 0, 0);
	return ret;
}

/* One flush for all requests that wait for one; the others are not kept waiting. */
static int flush_late(struct queue *queue)
{
	struct slot *leader;
	int ret;

	ret = answer(queue);
	if (ret < 0)
		return ret;
	leader = list_pop(&queue->late);
	leader->followers = queue->late.first;
	leader->is_flushing = true;
	list_init(&queue->late);
	begin(queue, leader, queue->srv->ops.flush);
	return 0;
}

/* ---- memory for data ---- */

/* A segment with @length bytes to spare, or NULL. */
static struct segment *find_segment(struct queue *queue, size_t length)
{
	size_t size = queue->srv->segment_size;
	struct segment *segment = queue->current;
	unsigned int i;

	if (size - segment->used >= length)
		return segment;
	for (i = 0; i < queue->nr_segments; i++) {
		segment = &queue->segments[i];
		if (!segment->users)
			return queue->current = segment;
	}
	return NULL;
}

static void *occupy(struct slot *slot, struct segment *segment, size_t offset)
{
	size_t end = offset + slot->req.length;

	end = (end + ABUSE_PAYLOAD_ALIGN - 1) & ~(size_t)(ABUSE_PAYLOAD_ALIGN - 1);
	if (end > segment->used)
		segment->used = end;
	segment->users++;
	slot->segment = segment;
	return segment->at + offset;
}

static void vacate(struct slot *slot)
{
	struct segment *segment = slot->segment;

	if (segment && !--segment->users)
		segment->used = 0;
	slot->segment = NULL;
}

static bool needs_room(const struct queue *queue, const struct slot *slot)
{
	return slot->req.op == ABUSE_OP_READ &&
	       !(queue->srv->config.flags & ABUSE_SERVER_NO_READ_DATA);
}

/*
 * Runs all that is new, in order. A READ for which there is no memory stays, with what
 * is behind it, until requests before it are answered.
 */
static int run_todo(struct queue *queue)
{
	struct segment *segment;
	struct slot *slot;
	int ret;

	while ((slot = queue->todo.first)) {
		if (needs_room(queue, slot)) {
			segment = find_segment(queue, slot->req.length);
			if (!segment && !queue->nr_replies)
				return 0;
			if (!segment) {
				ret = answer(queue);
				if (ret < 0)
					return ret;
				continue;
			}
			slot->req.data = occupy(slot, segment, segment->used);
		}
		list_pop(&queue->todo);
		run(queue, slot);
	}
	return 0;
}

/* ---- to the kernel and back ---- */

/*
 * After an exchange: what was refused but is still held is answered again, as an
 * error; all other slots are free.
 */
static void clear_replies(struct queue *queue, unsigned int nr_taken)
{
	unsigned int i, nr = 0, nr_replies = queue->nr_replies;
	bool all_taken = nr_taken == nr_replies;

	for (i = 0; i < nr_replies; i++) {
		struct abuse_reply *to = &queue->replies[i];
		struct slot *slot = queue->replied[i];

		if (!all_taken && to->status == ESTALE) {
			count(&queue->counts.stale, 1);
		} else if (!all_taken && to->status) {
			queue->replied[nr] = slot;
			queue->replies[nr++] = (struct abuse_reply) {
				.id = to->id, .result = EIO,
			};
			continue;
		}
		SET(slot->state, SLOT_IDLE);
		list_add(&queue->free, slot);
	}
	queue->nr_free += nr_replies - nr;
	queue->nr_replies = nr;
}

/* Room for payloads. That of READs about to be answered counts: replies come first. */
static void open_window(struct queue *queue)
{
	struct abuse_exchange *call = &queue->call;
	struct segment *segment;

	segment = find_segment(queue, queue->srv->params.max_request);
	queue->window = segment;
	if (segment) {
		call->buffer = (uintptr_t)(segment->at + segment->used);
		call->buffer_size = queue->srv->segment_size - segment->used;
	}
}

/* Sends all replies. Returns how many requests came, 0 after a signal, or -errno. */
static int exchange(struct queue *queue, unsigned int max_requests, int64_t wait)
{
	const struct abuse_server *srv = queue->srv;
	struct abuse_exchange *call = &queue->call;
	unsigned int i;
	int ret;

	for (i = 0; i < queue->nr_replies; i++)
		vacate(queue->replied[i]);
	if (max_requests && srv->buffer_size &&
	    !(srv->config.flags & ABUSE_SERVER_NO_WRITE_DATA)) {
		open_window(queue);
		if (!queue->window)
			max_requests = 0;
	}
	queue->is_full = !max_requests;
	call->wait = wait;
	call->nr_replies = queue->nr_replies;
	do {
		call->max_requests = LOAD(srv->is_stopped) ? 0 : max_requests;
		if (!call->max_requests && !call->nr_replies)
			return 0;
		ret = abuse_ioctl(srv->fd, ABUSE_EXCHANGE, call);
	} while (ret == -EINTR);
	if (ret < 0)
		return ret;
	count(&queue->counts.calls, 1);
	clear_replies(queue, call->nr_taken);
	return (int)call->nr_requests;
}

/* The first @nr of what came become slots, in order. */
static void adopt(struct queue *queue, unsigned int nr)
{
	const struct abuse_server *srv = queue->srv;
	struct segment *window = queue->window;
	const struct abuse_request *from = queue->requests;
	size_t base = window ? window->used : 0;
	unsigned int i;

	for (i = 0; i < nr; i++, from++) {
		struct slot *slot = list_pop(&queue->free);

		slot->id = from->id;
		slot->is_redirected = slot->is_flushing = slot->is_spoiled = false;
		slot->followers = NULL;
		slot->req.data = NULL;
		slot->req.offset = from->sector << SECTOR_SHIFT;
		slot->req.length = from->length;
		slot->req.op = from->op;
		slot->req.flags = from->flags;
		if (from->op == ABUSE_OP_WRITE || from->op == ABUSE_OP_WRITE_ZEROES)
			slot->req.flags |= srv->always;
		if (from->op == ABUSE_OP_WRITE && window)
			slot->req.data = occupy(slot, window, base + from->offset);
		list_add(&queue->todo, slot);
	}
	queue->nr_free -= nr;
}
