/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * The map of the kernel, played for the backend cow (cow.h): one for all processes, by sector.
 * A request that it holds runs under a shared lock, MAP takes that alone: as in the kernel it
 * waits for what began under the former ranges. Locks go with the process that dies. With
 * COW_LIBRARY the calls are the library's, and the test does what the map holds.
 */
#ifndef ABUSE_TEST_COW_KERNEL_H
#define ABUSE_TEST_COW_KERNEL_H

#define KERNEL_MISSED	1000

static struct kernel_sector {
	uint32_t rights;
	ino_t file;
	uint64_t offset;
} *kernel_map;			/* NULL: this kernel cannot */
static uint64_t kernel_sectors;
static unsigned long *kernel_hits, *kernel_calls;
#ifndef COW_LIBRARY
static char kernel_lock_path[80];
static __thread int kernel_held = -1, kernel_file = -1;	/* of the request that the kernel does in this thread */
#endif

__attribute__((unused))
static void kernel_begin(uint64_t size)
{
	size_t bytes = size / SECTOR * sizeof(*kernel_map);
	unsigned long *counts = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	kernel_sectors = size / SECTOR;
	kernel_map = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	must(kernel_map != MAP_FAILED && counts != MAP_FAILED, "memory for a map");
	kernel_hits = counts;
	kernel_calls = counts + 1;
#ifndef COW_LIBRARY
	snprintf(kernel_lock_path, sizeof(kernel_lock_path), "%s/map-lock", cow_dir);
#endif
}

/* Another set-up, or the power comes back. */
__attribute__((unused))
static void kernel_reset(void)
{
	if (kernel_map)
		memset(kernel_map, 0, kernel_sectors * sizeof(*kernel_map));
}

#ifndef COW_LIBRARY
static int kernel_lock(short type)
{
	struct flock flock = { .l_type = type, .l_whence = SEEK_SET };
	int fd = open(kernel_lock_path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	while (fcntl(fd, F_OFD_SETLKW, &flock) && errno == EINTR)
		;
	return fd;
}

int abuse_ctl_get_params_sized(int fd, struct abuse_params *params, size_t size)
{
	(void)fd;
	memset(params, 0, size);
	params->all_features = kernel_map ? ABUSE_F_MAP : 0;
	return 0;
}

#endif /* COW_LIBRARY */

/* The caller may be killed at any point of it. */
static void kernel_set(struct kernel_sector *s, uint32_t rights, ino_t file, uint64_t offset)
{
	__atomic_store_n(&s->rights, 0, __ATOMIC_SEQ_CST);
	__atomic_store_n(&s->file, file, __ATOMIC_SEQ_CST);
	__atomic_store_n(&s->offset, offset, __ATOMIC_SEQ_CST);
	__atomic_store_n(&s->rights, rights, __ATOMIC_SEQ_CST);
}

static void kernel_apply(const struct abuse_map_entry *e)
{
	struct stat st = { 0 };

	if (!e->sectors || e->sector + e->sectors > kernel_sectors)
		fail("a range that is none of the disk");
	if (!(e->flags & ABUSE_MAP_CLEAR) &&
	    (fstat((int)e->file, &st) || e->offset + e->sectors * SECTOR > (uint64_t)st.st_size))
		fail("a range that is none of the file");
	for (uint64_t i = 0; i < e->sectors; i++) {
		struct kernel_sector *s = &kernel_map[e->sector + i];

		if (e->flags & ABUSE_MAP_CLEAR)
			s->rights &= ~e->rights;
		else
			kernel_set(s, e->rights, st.st_ino, e->offset + i * SECTOR);
	}
}

/* One range has all of these, and that right. */
static bool kernel_has(uint64_t sector, uint64_t sectors, uint32_t right)
{
	const struct kernel_sector *first = &kernel_map[sector], *s;
	uint64_t i;

	for (i = 0; i < sectors; i++) {
		s = first + i;
		if (!(s->rights & right) || s->rights != first->rights || s->file != first->file ||
		    s->offset != first->offset + i * SECTOR)
			return false;
	}
	return true;
}

static bool kernel_writes_all(void)
{
	for (uint64_t i = 0; i < kernel_sectors; i++)
		if (!(kernel_map[i].rights & ABUSE_MAP_WRITE))
			return false;
	return true;
}

static int kernel_open(ino_t file)
{
	const char *const paths[] = { cow_base, cow_delta };
	struct stat st;

	for (int i = 0; i < 2; i++)
		if (!stat(paths[i], &st) && st.st_ino == file)
			return open(paths[i], (i ? O_RDWR : O_RDONLY) | O_CLOEXEC);
	return -1;
}

#ifndef COW_LIBRARY
int abuse_ctl_map_sized(int fd, const struct abuse_map_entry *entries, unsigned int nr, size_t size)
{
	int lock = kernel_lock(F_WRLCK);

	(void)fd;
	(void)size;
	__atomic_fetch_add(kernel_calls, 1, __ATOMIC_RELAXED);
	for (unsigned int i = 0; i < nr; i++)
		kernel_apply(&entries[i]);
	close(lock);
	return 0;
}

int abuse_map_sized(struct abuse_server *srv, const struct abuse_map_entry *entries, unsigned int nr, size_t size)
{
	(void)srv;
	return abuse_ctl_map_sized(0, entries, nr, size);
}

/* The request ends, or what did it is gone. */
static void kernel_let_go(void)
{
	if (kernel_file >= 0)
		close(kernel_file);
	if (kernel_held >= 0)
		close(kernel_held);
	kernel_file = kernel_held = -1;
}

static int kernel_transfer(int fd, uint32_t op, uint32_t flags, uint64_t offset, uint64_t length, void *data)
{
	int ret;

	if (op == ABUSE_OP_READ)
		return store_read(fd, data, offset, length);
	ret = store_write(fd, data, offset, length);
	if (!ret && flags & ABUSE_REQ_FUA)
		ret = cow_synced_range(fd, offset, length) ? -EIO : 0;
	return ret;
}

/* By the map, or KERNEL_MISSED: servers are to do it. */
static int kernel_do(uint32_t op, uint32_t flags, uint64_t offset, uint64_t length, void *data)
{
	int ret = KERNEL_MISSED;
	uint64_t sector = offset / SECTOR;

	if (!kernel_map || op > ABUSE_OP_FLUSH)
		return KERNEL_MISSED;
	kernel_held = kernel_lock(F_RDLCK);
	if (op == ABUSE_OP_FLUSH && kernel_writes_all()) {
		kernel_file = kernel_open(kernel_map[0].file);
		ret = fdatasync(kernel_file) ? -EIO : 0;
	} else if (op != ABUSE_OP_FLUSH &&
		   kernel_has(sector, length / SECTOR, op == ABUSE_OP_READ ? ABUSE_MAP_READ : ABUSE_MAP_WRITE)) {
		kernel_file = kernel_open(kernel_map[sector].file);
		ret = kernel_file < 0 ? -EIO :
		      kernel_transfer(kernel_file, op, flags, kernel_map[sector].offset, length, data);
		__atomic_fetch_add(kernel_hits, 1, __ATOMIC_RELAXED);
	}
	kernel_let_go();
	return ret;
}

#endif /* COW_LIBRARY */

#endif
