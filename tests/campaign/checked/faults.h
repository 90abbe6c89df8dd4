/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * Included by force before the module's own files: each function that can fail for want of memory, by a bad
 * address or by a signal asks beside.c first. For kernels from 6.12 on.
 */
#ifndef ABUSE_TESTS_FAULTS_H
#define ABUSE_TESTS_FAULTS_H

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt	/* as compat.h has it */

#include <linux/blk-mq.h>
#include <linux/blkdev.h>
#include <linux/cdev.h>
#include <linux/device.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/mount.h>
#include <linux/mutex.h>
#include <linux/percpu.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/srcu.h>
#include <linux/uaccess.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

bool abuse_fault(void);

#define OR_FAULT(error, call)	(abuse_fault() ? (error) : (call))

#undef kzalloc
#define kzalloc(...)		OR_FAULT(NULL, alloc_hooks(kzalloc_noprof(__VA_ARGS__)))
#undef kmalloc_array
#define kmalloc_array(...)	OR_FAULT(NULL, alloc_hooks(kmalloc_array_noprof(__VA_ARGS__)))
#undef kvcalloc
#define kvcalloc(...)		OR_FAULT(NULL, alloc_hooks(kvcalloc_noprof(__VA_ARGS__)))
#undef kvmalloc
#define kvmalloc(size, flags)	OR_FAULT(NULL, kvmalloc_node(size, flags, NUMA_NO_NODE))
#undef kmem_cache_alloc
#define kmem_cache_alloc(...)	OR_FAULT(NULL, alloc_hooks(kmem_cache_alloc_noprof(__VA_ARGS__)))
#undef __alloc_percpu_gfp
#define __alloc_percpu_gfp(size, align, gfp) \
	OR_FAULT(NULL, alloc_hooks(pcpu_alloc_noprof(size, align, false, gfp)))
#define alloc_workqueue(...)	OR_FAULT(NULL, alloc_workqueue(__VA_ARGS__))
/* To store a value takes no memory, since something was there. */
#define xa_store(xa, index, entry, gfp) \
	(!xa_is_value(entry) && abuse_fault() ? XA_ERROR(-ENOMEM) : xa_store(xa, index, entry, gfp))
#define xa_alloc(...)		OR_FAULT(-ENOMEM, xa_alloc(__VA_ARGS__))

#define copy_from_user(to, from, n) OR_FAULT(n, copy_from_user(to, from, n))
#define copy_to_user(to, from, n) OR_FAULT(n, copy_to_user(to, from, n))
#define raw_copy_from_user(to, from, n) OR_FAULT(n, raw_copy_from_user(to, from, n))
#define raw_copy_to_user(to, from, n) OR_FAULT(n, raw_copy_to_user(to, from, n))
#define copy_struct_from_user(...) OR_FAULT(-EFAULT, copy_struct_from_user(__VA_ARGS__))
#undef clear_user
#define clear_user(to, n)	OR_FAULT(n, __clear_user(to, n))
#undef put_user
#define put_user(x, ptr) \
	OR_FAULT(-EFAULT, ({ might_fault(); do_put_user_call(put_user, x, ptr); }))
#undef get_user
#define get_user(x, ptr) \
	OR_FAULT(-EFAULT, ({ might_fault(); do_get_user_call(get_user, x, ptr); }))

#define blk_mq_alloc_tag_set(set) OR_FAULT(-ENOMEM, blk_mq_alloc_tag_set(set))
#define __blk_mq_alloc_disk(...) OR_FAULT(ERR_PTR(-ENOMEM), __blk_mq_alloc_disk(__VA_ARGS__))
#define device_add_disk(...)	OR_FAULT(-ENOMEM, device_add_disk(__VA_ARGS__))
#define device_add(dev)		OR_FAULT(-ENOMEM, device_add(dev))
#define dev_set_name(...)	OR_FAULT(-ENOMEM, dev_set_name(__VA_ARGS__))
#define cdev_add(...)		OR_FAULT(-ENOMEM, cdev_add(__VA_ARGS__))
#define misc_register(misc)	OR_FAULT(-ENOMEM, misc_register(misc))
#define register_chrdev_region(...) OR_FAULT(-ENOMEM, register_chrdev_region(__VA_ARGS__))
#define __register_blkdev(...)	OR_FAULT(-ENOMEM, __register_blkdev(__VA_ARGS__))
#define simple_pin_fs(...)	OR_FAULT(-ENOMEM, simple_pin_fs(__VA_ARGS__))
#define new_inode(sb)		OR_FAULT(NULL, new_inode(sb))
#define alloc_file_pseudo(...)	OR_FAULT(ERR_PTR(-ENOMEM), alloc_file_pseudo(__VA_ARGS__))
#define get_unused_fd_flags(flags) OR_FAULT(-EMFILE, get_unused_fd_flags(flags))
#define __mmu_notifier_register(...) OR_FAULT(-ENOMEM, __mmu_notifier_register(__VA_ARGS__))
#define mmap_write_lock_killable(mm) OR_FAULT(-EINTR, mmap_write_lock_killable(mm))

#undef mutex_lock_killable
#define mutex_lock_killable(lock) \
	OR_FAULT(-EINTR, mutex_trylock(lock) ? 0 : (mutex_lock(lock), 0))
#undef wait_event_killable
#define wait_event_killable(wq, condition) ({				\
	int ret_ = 0;							\
	might_sleep();							\
	if (abuse_fault())						\
		ret_ = -ERESTARTSYS;					\
	else if (!(condition))						\
		ret_ = __wait_event_killable(wq, condition);		\
	ret_; })

#endif
