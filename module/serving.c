// SPDX-License-Identifier: GPL-2.0-only
// Copyright (C) 2026 the abuse authors
/*
 * The list of live servers of a set-up: descriptors that asked for requests in it (EXCHANGE
 * with max_requests above 0, or GET_BIO), and whose process is alive. Entered by these
 * calls, by server.c when a descriptor or its process ends, and by RESET; expire.c and sysfs
 * read the list.
 *
 * A process is alive while its address space exists. EXCHANGE binds a descriptor to an
 * address space, and a notifier reports its end. GET_BIO binds nothing, since programs of
 * 2009 may share a descriptor: such a descriptor counts for the process that asked last,
 * and the end of that process is found when the list is read.
 */
#include <linux/pid_namespace.h>
#include <linux/sched/mm.h>
#include <linux/sysfs.h>

#include "abuse.h"

/* The attribute names at most so many pids; the count has no limit. */
#define ABUSE_MAX_PIDS	256

static bool abuse_server_lives(const struct abuse_server *srv)
{
	return atomic_read(&srv->asker->mm_users);
}

static void abuse_asker_put(struct mm_struct *mm, struct pid *pid)
{
	if (mm)
		mmdrop(mm);
	put_pid(pid);
}

/* Removes the server from the list; the caller drops its references. */
static void abuse_server_unlist(struct abuse_server *srv, struct mm_struct **mm,
				struct pid **pid)
{
	struct abuse_device *dev = srv->dev;

	lockdep_assert_held(&dev->lock);
	*mm = srv->asker;
	*pid = srv->pid;
	WRITE_ONCE(srv->asker, NULL);
	srv->pid = NULL;
	list_del(&srv->serving);
	if (!--dev->nr_servers)
		WRITE_ONCE(dev->unserved_ns, abuse_tick_ns());
}

/* A process asks for requests on this descriptor for the first time, or after another process. */
void abuse_server_joins(struct abuse_server *srv, bool bound)
{
	struct pid *pid = get_pid(task_tgid(current));
	struct abuse_device *dev = srv->dev;
	struct mm_struct *mm = current->mm;

	mmgrab(mm);
	spin_lock(&dev->lock);
	if (dev->state == ABUSE_S_UP && (!bound ||
	    atomic64_read(&srv->epoch) == atomic64_read(&dev->epoch))) {
		if (!srv->asker) {
			list_add_tail(&srv->serving, &dev->servers);
			dev->nr_servers++;
		}
		swap(srv->pid, pid);
		swap(srv->asker, mm);
	}
	spin_unlock(&dev->lock);
	abuse_asker_put(mm, pid);
}

/* The process of the address space gone has ended; NULL: the descriptor was closed. */
void abuse_server_leaves(struct abuse_server *srv, const struct mm_struct *gone)
{
	struct abuse_device *dev = srv->dev;
	struct mm_struct *mm = NULL;
	struct pid *pid = NULL;

	spin_lock(&dev->lock);
	if (srv->asker && (!gone || srv->asker == gone))
		abuse_server_unlist(srv, &mm, &pid);
	spin_unlock(&dev->lock);
	abuse_asker_put(mm, pid);
}

/* Removes all servers (the set-up is over), or dead ones up to the first live one. */
static bool abuse_servers_prune(struct abuse_device *dev, bool all)
{
	struct abuse_server *srv;
	struct mm_struct *mm;
	struct pid *pid;

	for (;;) {
		spin_lock(&dev->lock);
		srv = list_first_entry_or_null(&dev->servers,
					       struct abuse_server, serving);
		if (!srv || (!all && abuse_server_lives(srv)))
			break;
		abuse_server_unlist(srv, &mm, &pid);
		spin_unlock(&dev->lock);
		abuse_asker_put(mm, pid);
	}
	spin_unlock(&dev->lock);
	return srv;
}

void abuse_servers_forget(struct abuse_device *dev)
{
	abuse_servers_prune(dev, true);
}

bool abuse_is_served(struct abuse_device *dev)
{
	return abuse_servers_prune(dev, false);
}

/* The number of servers, and the pids that the reader's pid namespace has. */
ssize_t abuse_servers_show(struct abuse_device *dev, char *buf)
{
	struct pid_namespace *ns = task_active_pid_ns(current);
	unsigned int n = 0, seen = 0, dead = 0, i;
	struct abuse_server *srv;
	ssize_t len;
	pid_t *pids;

	pids = kmalloc_array(ABUSE_MAX_PIDS, sizeof(*pids), GFP_KERNEL);
	if (!pids)
		return -ENOMEM;
	spin_lock(&dev->lock);
	list_for_each_entry(srv, &dev->servers, serving) {
		if (seen++ == ABUSE_MAX_PIDS)
			break;
		if (!abuse_server_lives(srv)) {
			dead++;
			continue;
		}
		pids[n] = pid_nr_ns(srv->pid, ns);
		n += !!pids[n];
	}
	len = dev->state == ABUSE_S_UP ? dev->nr_servers - dead : 0;
	spin_unlock(&dev->lock);

	len = sysfs_emit(buf, "%zd", len);
	for (i = 0; i < n; i++)
		len += sysfs_emit_at(buf, len, " %d", pids[i]);
	len += sysfs_emit_at(buf, len, "\n");
	kfree(pids);
	return len;
}
