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
static int run_new(struct queue *queue, unsigned int nr);

static inline bool is_ended(const struct queue *queue)
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

/* What was left by an earlier turn: more than nothing only if something is slow. */
static int catch_up(struct queue *queue)
{
	int ret;

	take_done(queue);
	ret = run_todo(queue);
	if (!ret && queue->late.first)
		ret = flush_late(queue);
	return ret;
}

static bool is_behind(const struct queue *queue)
{
	return queue->nr_async || queue->todo.first || queue->late.first;
}

int queue_turn(struct queue *queue, int64_t wait)
{
	int ret;

	if (is_behind(queue)) {
		ret = catch_up(queue);
		if (ret < 0)
			return ret;
		if (is_behind(queue))
			wait = 0;
	}
	if (is_ended(queue))
		return -ESHUTDOWN;
	ret = exchange(queue, room_for_more(queue), wait);
	if (ret > 0)
		ret = run_new(queue, (unsigned int)ret);
	if (ret < 0)
		return ret;
	return queue->nr_replies || queue->late.first || is_ended(queue);
}

/* ---- what callbacks do, and what becomes of it ---- */

static void settle(struct queue *queue, struct slot *slot, int result);

/* Counters have one writer; readers in other threads see whole values. */
static inline void count(uint64_t *counter, uint64_t more)
{
	SET(*counter, *counter + more);
}

/* What nearly all are: a READ or a WRITE that is over and wants nothing more. */
static inline bool is_plain(const struct slot *slot, int result)
{
	const struct abuse_req *req = &slot->req;

	if (slot->marks)
		return false;
	if (req->op == ABUSE_OP_READ)
		return result == ABUSE_ZEROES || (!result && req->data);
	return req->op == ABUSE_OP_WRITE && !result && !(req->flags & ABUSE_REQ_FUA);
}

static inline void reply_plain(struct queue *queue, struct slot *slot, int result)
{
	struct abuse_reply *to = &queue->replies[queue->nr_replies];
	struct abuse_counts *counts = &queue->counts;

	queue->replied[queue->nr_replies++] = slot;
	*to = (struct abuse_reply) { .id = slot->id };
	if (slot->req.op == ABUSE_OP_WRITE) {
		count(&counts->ops[ABUSE_OP_WRITE], 1);
		count(&counts->written_bytes, slot->req.length);
		return;
	}
	if (result == ABUSE_ZEROES)
		to->flags = ABUSE_REPLY_ZERO;
	else
		to->address = (uintptr_t)slot->req.data;
	count(&counts->ops[ABUSE_OP_READ], 1);
	count(&counts->read_bytes, slot->req.length);
}

/* The slot is the callback's until it returns, or longer if it says so. */
static inline void begin(struct queue *queue, struct slot *slot,
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
		if (is_plain(slot, result))
			reply_plain(queue, slot, result);
		else
			settle(queue, slot, result);
		return;
	}
	/* abuse_req_done() was called, too: it comes back from there. */
	slot->marks |= IS_SPOILED;
	queue->nr_async++;
}

static inline void run(struct queue *queue, struct slot *slot)
{
	uint32_t op = slot->req.op;

	begin(queue, slot, queue->callbacks[op < NR_OPS ? op : NR_OPS]);
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

	if (op < NR_OPS)
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
	} else if (slot->marks & IS_REDIRECTED) {
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
		return slot->req.flags & ABUSE_REQ_FUA &&
		       !(slot->marks & IS_REDIRECTED) &&
		       !(srv->config.flags & ABUSE_SERVER_FUA);
	}
	return false;
}

/* What a callback returned, or -EIO if that makes no sense. */
static int judge(const struct slot *slot, int result)
{
	if (result < 0)
		return result;
	if (slot->marks & IS_SPOILED)
		return -EIO;
	if (result == ABUSE_ZEROES && slot->req.op == ABUSE_OP_READ)
		return result;
	if (result)
		return -EIO;
	/* Bytes that nobody gave. */
	if (slot->req.op == ABUSE_OP_READ && !slot->req.data &&
	    !(slot->marks & IS_REDIRECTED))
		return -EIO;
	return 0;
}

/* The flush of @leader is over, and with it that of all who shared it. */
static void settle_flushed(struct queue *queue, struct slot *leader, int result)
{
	bool is_redirected = leader->marks & IS_REDIRECTED && !result;
	struct slot *slot, *next;

	for (slot = leader->followers; slot; slot = next) {
		next = slot->next;
		slot->file = leader->file;
		slot->target = leader->target;
		if (is_redirected)
			slot->marks |= IS_REDIRECTED;
		else
			slot->marks &= ~IS_REDIRECTED;
		/* The kernel flushes for a FLUSH alone. */
		reply(queue, slot, is_redirected && slot->req.op != ABUSE_OP_FLUSH ?
		      -EIO : result);
	}
	reply(queue, leader, result);
}

static void settle(struct queue *queue, struct slot *slot, int result)
{
	result = judge(slot, result);
	if (slot->marks & IS_FLUSHING)
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

	if (!LOAD(queue->done))
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
	leader->marks = IS_FLUSHING;
	list_init(&queue->late);
	begin(queue, leader, queue->srv->ops.flush);
	return 0;
}

/* ---- memory for data ---- */

/* A segment with @length bytes to spare, or NULL. */
static struct segment *find_segment(struct queue *queue, size_t length)
{
	struct segment *segment = queue->current;
	unsigned int i;

	if (queue->srv->segment_size - segment->used >= length)
		return segment;
	for (i = 0; i < queue->nr_segments; i++) {
		segment = &queue->segments[i];
		if (!segment->users)
			return queue->current = segment;
	}
	return NULL;
}

static inline size_t aligned(size_t length)
{
	return (length + ABUSE_PAYLOAD_ALIGN - 1) & ~(size_t)(ABUSE_PAYLOAD_ALIGN - 1);
}

static inline void vacate(struct slot *slot)
{
	struct segment *segment = slot->segment;

	if (segment && !--segment->users)
		segment->used = 0;
	slot->segment = NULL;
}

/* Memory for what a READ is to give. False: none is left. */
static bool make_room(struct queue *queue, struct slot *slot)
{
	struct segment *segment = find_segment(queue, slot->req.length);

	if (!segment)
		return false;
	slot->req.data = segment->at + segment->used;
	slot->segment = segment;
	segment->used += aligned(slot->req.length);
	segment->users++;
	return true;
}

static inline bool needs_room(const struct queue *queue, const struct slot *slot)
{
	return slot->req.op == ABUSE_OP_READ &&
	       !(queue->srv->config.flags & ABUSE_SERVER_NO_READ_DATA);
}

/*
 * READs for which there was no memory, and what came behind them: they stay until
 * requests before them are answered.
 */
static int run_todo(struct queue *queue)
{
	struct slot *slot;
	int ret;

	while ((slot = queue->todo.first)) {
		while (needs_room(queue, slot) && !make_room(queue, slot)) {
			if (!queue->nr_replies)
				return 0;
			ret = answer(queue);
			if (ret < 0)
				return ret;
		}
		list_pop(&queue->todo);
		run(queue, slot);
	}
	return 0;
}

/* ---- to the kernel and back ---- */

static inline struct slot *take_slot(struct queue *queue)
{
	struct slot *slot = queue->free[queue->first_free];

	if (++queue->first_free == queue->nr_slots)
		queue->first_free = 0;
	queue->nr_free--;
	return slot;
}

static inline void free_slot(struct queue *queue, struct slot *slot)
{
	queue->free[queue->end_free] = slot;
	if (++queue->end_free == queue->nr_slots)
		queue->end_free = 0;
	queue->nr_free++;
}

/* What was refused but is still held is answered again, as an error. */
static void clear_refused(struct queue *queue)
{
	unsigned int i, nr = 0;

	for (i = 0; i < queue->nr_replies; i++) {
		struct abuse_reply *to = &queue->replies[i];
		struct slot *slot = queue->replied[i];

		if (!to->status || to->status == ESTALE) {
			if (to->status)
				count(&queue->counts.stale, 1);
			free_slot(queue, slot);
			continue;
		}
		queue->replied[nr] = slot;
		queue->replies[nr++] = (struct abuse_reply) {
			.id = to->id, .result = EIO,
		};
	}
	queue->nr_replies = nr;
}

static void clear_replies(struct queue *queue, unsigned int nr_taken)
{
	unsigned int i;

	if (nr_taken != queue->nr_replies) {
		clear_refused(queue);
		return;
	}
	for (i = 0; i < nr_taken; i++)
		free_slot(queue, queue->replied[i]);
	queue->nr_replies = 0;
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

	for (i = 0; srv->buffer_size && i < queue->nr_replies; i++)
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

/* What came becomes a slot. */
static inline struct slot *adopt(struct queue *queue, const struct abuse_request *from)
{
	struct slot *slot = take_slot(queue);

	slot->id = from->id;
	slot->marks = 0;
	slot->req.data = NULL;
	slot->req.offset = from->sector << SECTOR_SHIFT;
	slot->req.length = from->length;
	slot->req.op = from->op;
	slot->req.flags = from->flags;
	if (from->op == ABUSE_OP_WRITE || from->op == ABUSE_OP_WRITE_ZEROES)
		slot->req.flags |= queue->srv->always;
	return slot;
}

/* Payloads have their place already: what READs give comes behind the last of them. */
static void close_window(struct queue *queue, unsigned int nr)
{
	const struct abuse_request *from = queue->requests, *end = from + nr;
	struct segment *window = queue->window;
	uint64_t used = 0;

	for (; from < end; from++)
		if (from->op == ABUSE_OP_WRITE) {
			used = from->offset + from->length;
			window->users++;
		}
	window->used += aligned(used);
}

/* Runs the @nr requests that came, in order, as far as there is memory for READs. */
static int run_new(struct queue *queue, unsigned int nr)
{
	const struct abuse_request *from = queue->requests, *end = from + nr;
	struct segment *window = queue->window;
	size_t base = window ? window->used : 0;

	if (window)
		close_window(queue, nr);
	for (; from < end; from++) {
		struct slot *slot = adopt(queue, from);

		if (from->op == ABUSE_OP_WRITE && window) {
			slot->segment = window;
			slot->req.data = window->at + base + from->offset;
		}
		if (queue->todo.first ||
		    (needs_room(queue, slot) && !make_room(queue, slot)))
			list_add(&queue->todo, slot);
		else
			run(queue, slot);
	}
	return run_todo(queue);
}
