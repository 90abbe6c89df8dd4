// SPDX-License-Identifier: GPL-2.0-only
// Copyright (C) 2026 the abuse authors
/*
 * Load and unload, module parameters, majors. Exit mirrors init; everything else
 * begins in index.c (a device is added) or server.c (a control node is opened).
 */
#include <linux/cdev.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/sched/mm.h>

#include "abuse.h"

#define ABUSE_DEFAULT_DEVICES	8	/* as in 2009 */
#define ABUSE_MAX_PARTITIONS	255

static int max_abuse;
module_param(max_abuse, int, 0444);
MODULE_PARM_DESC(max_abuse, "Devices made at load, and no more (0 = 8, and more on demand)");

static int max_part;
module_param(max_part, int, 0444);
MODULE_PARM_DESC(max_part, "Partitions that numbers leave room for, 0 .. 255 (0 = tables are not read)");

static int major = ABUSE_MAJOR;
bool abuse_major_is_chosen;

static int abuse_choose_major(const char *value, const struct kernel_param *param)
{
	abuse_major_is_chosen = true;
	return param_set_int(value, param);
}

static const struct kernel_param_ops major_ops = {
	.set	= abuse_choose_major,
	.get	= param_get_int,
};
module_param_cb(major, &major_ops, &major, 0444);
__MODULE_PARM_TYPE(major, "int");
MODULE_PARM_DESC(major, "Major number of the block nodes (0 = dynamic); if given, also of devices added later");

static int ctl_major = ABUSECTL_MAJOR;
module_param(ctl_major, int, 0444);
MODULE_PARM_DESC(ctl_major, "Major number of the control nodes (0 = dynamic)");

/* A new time-out also counts for requests that wait already. */
static int abuse_set_timeout_param(const char *value, const struct kernel_param *param)
{
	int err = param_set_uint(value, param);

	if (!err)
		abuse_index_each(abuse_expire_anew);
	return err;
}

static const struct kernel_param_ops timeout_ops = {
	.set = abuse_set_timeout_param,
	.get = param_get_uint,
};

unsigned int abuse_user_timeout = 15;
module_param_cb(user_timeout, &timeout_ops, &abuse_user_timeout, 0644);
__MODULE_PARM_TYPE(user_timeout, "uint");
MODULE_PARM_DESC(user_timeout, "Seconds until an unanswered request of a user's device fails, and with it all I/O of the device (0 = never)");

unsigned int abuse_unserved_timeout = 30;
module_param_cb(unserved_timeout, &timeout_ops, &abuse_unserved_timeout, 0644);
__MODULE_PARM_TYPE(unserved_timeout, "uint");
MODULE_PARM_DESC(unserved_timeout, "Seconds until I/O of a disk fails that has neither a server nor a claim (0 = never)");

unsigned int abuse_user_floor = 16 << 20;
module_param_named(user_floor, abuse_user_floor, uint, 0644);
MODULE_PARM_DESC(user_floor, "Bytes that a user's device which is never idle must read or write in user_timeout, or else ...");

unsigned int abuse_user_floor_requests = 256;
module_param_named(user_floor_requests, abuse_user_floor_requests, uint, 0644);
MODULE_PARM_DESC(user_floor_requests, "... the requests that it must complete, lest it fails (either 0 = no such floor)");

unsigned int abuse_user_devices = 16;
module_param_named(user_devices, abuse_user_devices, uint, 0644);
MODULE_PARM_DESC(user_devices, "Devices an ordinary user may add");

unsigned int abuse_user_depth = 4096;
module_param_named(user_depth, abuse_user_depth, uint, 0644);
MODULE_PARM_DESC(user_depth, "Requests all devices of an ordinary user may have room for");

struct workqueue_struct *abuse_wq;
struct workqueue_struct *abuse_patient_wq;
struct class *abuse_class;
int abuse_block_major;
int abuse_node_major;
unsigned int abuse_minor_shift;
unsigned int abuse_numbers;
unsigned int abuse_max_part;

static struct cdev abuse_cdev;

static int abuse_check_parameters(void)
{
	if (max_part < 0 || max_part > ABUSE_MAX_PARTITIONS) {
		pr_err("max_part=%d is not in 0..%d\n", max_part,
		       ABUSE_MAX_PARTITIONS);
		return -EINVAL;
	}
	abuse_max_part = max_part;
	abuse_minor_shift = fls(max_part);
	abuse_numbers = 1U << (MINORBITS - abuse_minor_shift);
	if (max_abuse < 0 || max_abuse > abuse_numbers) {
		pr_err("max_abuse=%d is not in 0..%u\n", max_abuse,
		       abuse_numbers);
		return -EINVAL;
	}
	if (max_abuse)
		abuse_numbers = max_abuse;
	return 0;
}

/* A node was opened whose number the block layer does not know. */
static void abuse_probe_number(dev_t devt)
{
	/* A server may wait for the index. */
	unsigned int noio = memalloc_noio_save();

	abuse_index_add_on_demand(MINOR(devt) >> abuse_minor_shift);
	memalloc_noio_restore(noio);
}

static void abuse_say_major_is_taken(const char *kind, const char *parameter, int number,
		      int err)
{
	if (err == -EBUSY)
		pr_err("%s major %d is taken: load with %s=0 for a dynamic one\n",
		       kind, number, parameter);
	else
		pr_err("cannot have %s major %d (error %d): see parameter %s\n",
		       kind, number, err, parameter);
}

static int abuse_register_block_major(void)
{
	int ret = abuse_register_blkdev(major, "abuse", abuse_probe_number);

	if (ret < 0) {
		abuse_say_major_is_taken("block", "major", major, ret);
		return ret;
	}
	abuse_block_major = major ? major : ret;
	return 0;
}

static int abuse_reserve_node_major(void)
{
	dev_t devt = MKDEV(ctl_major, 0);
	int err;

	if (ctl_major)
		err = register_chrdev_region(devt, abuse_numbers, "abctl");
	else
		err = alloc_chrdev_region(&devt, 0, abuse_numbers, "abctl");
	if (err) {
		abuse_say_major_is_taken("character", "ctl_major", ctl_major, err);
		return err;
	}
	abuse_node_major = MAJOR(devt);
	return 0;
}

static void abuse_release_node_major(void)
{
	unregister_chrdev_region(MKDEV(abuse_node_major, 0), abuse_numbers);
}

static int abuse_open_node_class(void)
{
	cdev_init(&abuse_cdev, &abuse_server_fops);
	abuse_cdev.owner = THIS_MODULE;
	return cdev_add(&abuse_cdev, MKDEV(abuse_node_major, 0), abuse_numbers);
}

/* If memory is short, the module stays loaded with the devices that it could add. */
static void abuse_add_first_devices(void)
{
	unsigned int i, n = max_abuse ? max_abuse : ABUSE_DEFAULT_DEVICES;
	int err;

	for (i = 0; i < n; i++) {
		struct abuse_add add = { .number = i };

		err = abuse_index_add(&add, GLOBAL_ROOT_UID, true);
		if (err && err != -EEXIST) {
			pr_warn("cannot add device %u (error %d)\n", i, err);
			return;
		}
	}
}

static int abuse_alloc_workqueues(void)
{
	abuse_wq = alloc_workqueue("abuse", WQ_UNBOUND | WQ_MEM_RECLAIM, 0);
	if (!abuse_wq)
		return -ENOMEM;
	abuse_patient_wq = alloc_workqueue("abuse_patient", WQ_UNBOUND, 0);
	if (!abuse_patient_wq) {
		destroy_workqueue(abuse_wq);
		return -ENOMEM;
	}
	return 0;
}

static void abuse_destroy_workqueues(void)
{
	destroy_workqueue(abuse_patient_wq);
	destroy_workqueue(abuse_wq);
}

static int __init abuse_init(void)
{
	int err;

	err = abuse_check_parameters();
	if (err)
		return err;
	err = abuse_map_init();
	if (err)
		return err;
	err = abuse_alloc_workqueues();
	if (err)
		goto out_map;
	abuse_class = class_create("abuse");
	if (IS_ERR(abuse_class)) {
		err = PTR_ERR(abuse_class);
		goto out_workqueues;
	}
	/* A device needs both majors, and a probe may come with the second. */
	err = abuse_reserve_node_major();
	if (err)
		goto out_class;
	err = abuse_register_block_major();
	if (err)
		goto out_node_major;
	err = abuse_open_node_class();
	if (err)
		goto out_block_major;
	err = misc_register(&abuse_control_misc);
	if (err)
		goto out_nodes;
	abuse_add_first_devices();
	return 0;

out_nodes:
	cdev_del(&abuse_cdev);
out_block_major:
	abuse_pace_forget_all();
	abuse_unregister_blkdev(abuse_block_major, "abuse");
	abuse_index_remove_all();
	abuse_latency_stop();
out_node_major:
	abuse_release_node_major();
out_class:
	class_destroy(abuse_class);
out_workqueues:
	abuse_destroy_workqueues();
out_map:
	abuse_map_exit();
	return err;
}

static void __exit abuse_exit(void)
{
	misc_deregister(&abuse_control_misc);
	/* First the block major: its probe adds devices and holds no reference to the module. */
	abuse_unregister_blkdev(abuse_block_major, "abuse");
	cdev_del(&abuse_cdev);
	abuse_index_remove_all();
	abuse_latency_stop();
	abuse_pace_forget_all();
	abuse_release_node_major();
	class_destroy(abuse_class);
	abuse_destroy_workqueues();
	abuse_map_exit();
}

module_init(abuse_init);
module_exit(abuse_exit);

MODULE_DESCRIPTION("Block devices served by ordinary processes");
MODULE_AUTHOR("The abuse developers");
MODULE_LICENSE("GPL");
MODULE_VERSION(ABUSE_VERSION);
MODULE_ALIAS_BLOCKDEV_MAJOR(ABUSE_MAJOR);
MODULE_ALIAS_CHARDEV_MAJOR(ABUSECTL_MAJOR);
