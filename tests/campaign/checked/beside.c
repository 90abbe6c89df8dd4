// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (C) 2026 the abuse authors
/*
 * A module beside an abuse.ko that `build` compiled for it, on a kernel as it comes.
 *
 * It notes which basic blocks ran, in any context: abuse.ko, compiled with -fsanitize-coverage=trace-pc, calls
 * a function at the begin of each. It stays when abuse is unloaded, so that all loads add up. Read
 * /sys/kernel/debug/abuse-coverage: a byte for each byte of the module's code, 1 if a call that returns there was made;
 * abuse-coverage-count says how many are 1.
 *
 * It lets calls of abuse.ko fail (faults.h): N written to /sys/kernel/debug/abuse-fail-nth lets the N-th of the
 * calls fail that the writing task makes from then on. Reading gives how many are left.
 */
#include <linux/debugfs.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/vmalloc.h>

#define ROOM	(1UL << 20)

void __sanitizer_cov_trace_pc(void);

static u8 *reached;
static unsigned long base, size;
static unsigned int count;
static struct debugfs_blob_wrapper blob;

void notrace __sanitizer_cov_trace_pc(void)
{
	unsigned long at = (unsigned long)__builtin_return_address(0) - READ_ONCE(base);

	if (at < size && reached && !READ_ONCE(reached[at])) {
		WRITE_ONCE(reached[at], 1);
		WRITE_ONCE(count, count + 1);	/* a race makes it a little less */
	}
}
EXPORT_SYMBOL(__sanitizer_cov_trace_pc);

static struct task_struct *victim;
static unsigned int left;

bool notrace abuse_fault(void)
{
	return in_task() && READ_ONCE(left) && READ_ONCE(victim) == current && !--left;
}
EXPORT_SYMBOL(abuse_fault);

static ssize_t nth_write(struct file *file, const char __user *from, size_t n, loff_t *pos)
{
	unsigned int nth;
	int err = kstrtouint_from_user(from, n, 10, &nth);

	if (err)
		return err;
	WRITE_ONCE(left, 0);
	WRITE_ONCE(victim, current);
	WRITE_ONCE(left, nth);
	return n;
}

static ssize_t number_read(char __user *to, size_t n, loff_t *pos, unsigned int number)
{
	char text[16];

	return simple_read_from_buffer(to, n, pos, text, snprintf(text, sizeof(text), "%u\n", number));
}

static ssize_t nth_read(struct file *file, char __user *to, size_t n, loff_t *pos)
{
	return number_read(to, n, pos, left);
}

static ssize_t count_read(struct file *file, char __user *to, size_t n, loff_t *pos)
{
	return number_read(to, n, pos, READ_ONCE(count));
}

static const struct file_operations count_fops = {
	.owner = THIS_MODULE, .read = count_read, .llseek = default_llseek,
};

static const struct file_operations nth_fops = {
	.owner = THIS_MODULE, .read = nth_read, .write = nth_write, .llseek = default_llseek,
};

static int coverage_notify(struct notifier_block *nb, unsigned long state, void *data)
{
	struct module *mod = data;

	if (state != MODULE_STATE_COMING || strcmp(mod->name, "abuse"))
		return NOTIFY_DONE;
	WRITE_ONCE(base, (unsigned long)mod->mem[MOD_TEXT].base);
	size = min_t(unsigned long, mod->mem[MOD_TEXT].size, ROOM);
	pr_info("abuse-coverage: base %lx size %lx\n", base, size);
	return NOTIFY_DONE;
}

static struct notifier_block notifier = { .notifier_call = coverage_notify };

static int __init coverage_init(void)
{
	reached = vzalloc(ROOM);
	if (!reached)
		return -ENOMEM;
	blob.data = reached;
	blob.size = ROOM;
	debugfs_create_blob("abuse-coverage", 0400, NULL, &blob);
	debugfs_create_file("abuse-coverage-count", 0400, NULL, NULL, &count_fops);
	debugfs_create_file("abuse-fail-nth", 0600, NULL, NULL, &nth_fops);
	__module_get(THIS_MODULE);
	return register_module_notifier(&notifier);
}

module_init(coverage_init);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Which basic blocks of abuse ran, and which of its calls fail");
