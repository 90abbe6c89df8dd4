// SPDX-License-Identifier: GPL-2.0-only
// Copyright (C) 2026 the abuse authors
/*
 * /proc/PID/fdinfo of a descriptor of /dev/abctlN, for operators: which device the process
 * serves, how many requests it holds, and which files it registered.
 */
#include <linux/seq_file.h>

#include "abuse.h"

static unsigned int abuse_count_held(const struct abuse_server *srv)
{
	const struct abuse_device *dev = srv->dev;
	unsigned int n = 0;
	u32 i;

	for (i = 0; i < dev->nr_slots; i++)
		if (READ_ONCE(dev->slots[i].holder) == srv &&
		    abuse_word_state(abuse_slot_word(&dev->slots[i])) ==
		    ABUSE_HELD)
			n++;
	return n;
}

/* Which configuration of the device it serves. */
static const char *abuse_server_state(const struct abuse_server *srv)
{
	if (!READ_ONCE(srv->mm))
		return "unbound";
	return abuse_server_is_over(srv) ? "over" : "bound";
}

static const char *abuse_file_mode(const struct file *file)
{
	if (!(file->f_mode & FMODE_WRITE))
		return "r";
	return file->f_mode & FMODE_READ ? "rw" : "w";
}

/* The reader is another process: the last reference to a file may become ours. */
static void abuse_show_file(struct seq_file *m, struct abuse_server *srv,
			    u32 index)
{
	struct abuse_target *target = abuse_target_get(srv, index);

	if (!target)
		return;
	seq_printf(m, "abuse-file:\t%u %s 0%o ", index,
		   abuse_file_mode(target->file), target->file->f_flags);
	seq_file_path(m, target->file, " \t\n\\");
	seq_putc(m, '\n');
	abuse_target_put(target);
}

void abuse_server_show_fdinfo(struct seq_file *m, struct file *file)
{
	struct abuse_server *srv = file->private_data;
	void *target;
	unsigned long index;

	seq_printf(m, "abuse-device:\t%u\n", srv->dev->number);
	seq_printf(m, "abuse-state:\t%s\n", abuse_server_state(srv));
	seq_printf(m, "abuse-held:\t%u\n", abuse_count_held(srv));
	xa_for_each(&srv->targets, index, target)
		abuse_show_file(m, srv, index);
}
