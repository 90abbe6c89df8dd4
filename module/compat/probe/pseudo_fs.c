// SPDX-License-Identifier: GPL-2.0-only
// Copyright (C) 2026 the abuse authors
/* 5.2: init_pseudo() makes a file system for inodes alone; 4.19: alloc_file_pseudo(). */
struct pseudo_fs_context *(*fn)(struct fs_context *, unsigned long) = init_pseudo;
struct file *(*file)(struct inode *, struct vfsmount *, const char *, int,
		     const struct file_operations *) = alloc_file_pseudo;

(void)fn;
(void)file;
