// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (C) 2026 the abuse authors
/*
 * A log, read into events and epochs; see history.h. Writes nothing.
 */
#include "history.h"
#include "cmd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Room for one more element of @size bytes at @list, which has @nr; NULL: out of memory. */
static void *grow(void *list, size_t nr, size_t size)
{
	if (nr & (nr - 1))
		return list;
	return reallocarray(list, nr ? 2 * nr : 1, size);
}

static int read_mark(const struct history *history, struct event *event)
{
	size_t length = event->record.length, i;

	event->mark = calloc(1, length + 1);
	if (!event->mark)
		return -ENOMEM;
	if (pread(history->log.fd, event->mark, length, (off_t)event->at) != (ssize_t)length)
		return -EIO;
	for (i = 0; i < length; i++)
		if ((unsigned char)event->mark[i] < ' ')
			event->mark[i] = '?';
	return 0;
}

static int read_events(struct history *history)
{
	uint64_t at = sizeof(struct log_header);
	struct event event, *events;
	int ret;

	for (;;) {
		event = (struct event){ 0 };
		ret = log_next(&history->log, &at, history->header.end, &event.record);
		if (ret <= 0)
			return ret;
		event.at = at - log_payload(&event.record);
		if (event.record.op == LOG_MARK)
			ret = read_mark(history, &event);
		events = ret < 0 ? NULL : grow(history->events, history->nr_events,
					       sizeof(*events));
		if (!events) {
			free(event.mark);
			return ret < 0 ? ret : -ENOMEM;
		}
		history->events = events;
		events[history->nr_events++] = event;
	}
}

static int add_epoch(struct history *history, const struct epoch *epoch)
{
	struct epoch *epochs = grow(history->epochs, history->nr_epochs, sizeof(*epochs));

	if (!epochs)
		return -ENOMEM;
	history->epochs = epochs;
	epochs[history->nr_epochs++] = *epoch;
	return 0;
}

static int divide(struct history *history)
{
	uint64_t durable = sizeof(struct log_header);
	struct epoch epoch = { .durable = durable };
	size_t i;
	int ret = add_epoch(history, &epoch);

	for (i = 0; i < history->nr_events && !ret; i++) {
		const struct event *event = &history->events[i];
		const struct log_record *record = &event->record;

		epoch.end = i + 1;
		if (record->op == LOG_MARK)
			epoch.mark = event->mark;
		if (record->op == LOG_WRITE) {
			epoch.writes++;
			epoch.bytes += record->length;
		}
		if (record->op != LOG_FLUSH)
			continue;
		if (record->begun > durable)
			durable = record->begun;
		ret = add_epoch(history, &epoch);
		epoch = (struct epoch){
			.first = i + 1, .end = i + 1, .durable = durable, .mark = epoch.mark,
		};
	}
	if (!ret && epoch.end > epoch.first)
		ret = add_epoch(history, &epoch);
	history->nr_epochs--;
	return ret;
}

int history_open(struct history *history, const char *path)
{
	int ret;

	*history = (struct history){ 0 };
	ret = log_open(&history->log, path, O_RDONLY, &history->header);
	if (ret == -EINVAL)
		return failed(path, "is no log that 'abusectl server' has written with the "
			      "backend record");
	if (ret)
		return failed(path, "cannot be read: %s", strerror(-ret));
	ret = read_events(history);
	if (!ret)
		ret = divide(history);
	if (!ret)
		return EXIT_OK;
	history_close(history);
	return ret == -EINVAL ? failed(path, "is damaged") :
				failed(path, "cannot be read: %s", strerror(-ret));
}

void history_close(struct history *history)
{
	size_t i;

	for (i = 0; i < history->nr_events; i++)
		free(history->events[i].mark);
	free(history->events);
	free(history->epochs);
	log_close(&history->log);
}
