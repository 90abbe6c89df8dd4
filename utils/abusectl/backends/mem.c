// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (C) 2026 the abuse authors
/*
 * mem: bytes in a shared-memory object of this user, one per device, so that
 * they outlive any server. Made anew at set-up, also the object itself: what a
 * server of the device's former life may still write goes to the old one.
 * Dropped when a server sees its device reset or removed. Where another user has
 * taken its name it has one that nobody can guess, and the label says which.
 *
 * The kernel copies from and to a mapping of the object, which nobody else touches: an
 * object made shorter is an error to it, and a signal to us. READs do so where the object
 * is known to have pages: a hole that is read through a mapping is filled, and a
 * device much larger than memory would not stay so. WRITEs have the pages made first,
 * where not known, so that it is ENOSPC if there are none. Where nothing can be
 * mapped, or writes must be durable, bytes come here, and are read and written.
 */
#include "backend.h"
#include "cmd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE_SHIFT	12
#define LABEL		"mem:"
#define SHM_DIR		"/dev/shm"
#define NAME_TEXT	sizeof(((struct mem_object *)0)->name)
#define FIRST_USER	1000		/* below it, logind knows no users */

/*
 * Bytes that are mapped, so that what the device grows by is there: of addresses alone. Where
 * there are not so many it can be written only when its server was started anew.
 */
#define REACH		(16ULL << 40)

struct mem {
	struct store store;		/* first: the callbacks of store.c get it */
	uint64_t size;
	uint64_t reach;			/* bytes of the mapping */
	unsigned char *bytes;		/* the object, or NULL: it is not mapped */
	unsigned char *known;		/* for each page whether it is there: 1 */
	char name[NAME_TEXT];
};

/* ---- pages that exist ---- */

static uint64_t nr_pages(const struct mem *mem)
{
	return (mem->size >> PAGE_SHIFT) + 1;
}

/* Memory outside of the mapping counts as missing: the device may have grown. */
static bool is_known(const struct mem *mem, const struct abuse_req *req)
{
	uint64_t page = req->offset >> PAGE_SHIFT, end = req->offset + req->length;

	if (!mem->known || end > mem->size)
		return false;
	for (; page << PAGE_SHIFT < end; page++)
		if (!__atomic_load_n(&mem->known[page], __ATOMIC_RELAXED))
			return false;
	return true;
}

/*
 * Another server may make holes in what is known here: they read as zeroes all the same,
 * for a page of memory each, and where there is none writes get EIO.
 */
static void know(const struct mem *mem, const struct abuse_req *req, bool is_there)
{
	uint64_t page = req->offset >> PAGE_SHIFT, end = req->offset + req->length;

	if (!mem->known || end > mem->size)
		return;
	for (; page << PAGE_SHIFT < end; page++)
		if (__atomic_load_n(&mem->known[page], __ATOMIC_RELAXED) != is_there)
			__atomic_store_n(&mem->known[page], is_there, __ATOMIC_RELAXED);
}

/* Not those that are swapped out. Takes no lock, as lseek() for a hole would. */
static bool has_pages(const struct mem *mem, const struct abuse_req *req)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), begin = req->offset & ~(page - 1);
	uint64_t i, n = (req->offset + req->length - begin + page - 1) / page;
	unsigned char is_there[(ABUSE_MAX_REQUEST >> PAGE_SHIFT) + 1];

	if (n > sizeof(is_there) || mincore(mem->bytes + begin, n * page, is_there))
		return false;
	for (i = 0; i < n; i++)
		if (!(is_there[i] & 1))
			return false;
	return true;
}

/* Do not allocate beyond the end: no read would show these pages, and no discard free them. */
static int make_pages(const struct mem *mem, const struct abuse_req *req)
{
	struct stat st;

	if (fstat(mem->store.fd, &st))
		return -errno;
	if (req->offset + req->length > (uint64_t)st.st_size)
		return -EIO;
	return store_allocate(mem->store.fd, req->offset, req->length);
}

/* ---- callbacks ---- */

static int mem_pread(struct abuse_req *req)
{
	const struct mem *mem = req->arg;

	if (!is_known(mem, req)) {
		if (!mem->bytes || req->offset + req->length > mem->size ||
		    !has_pages(mem, req))
			return store_pread(req);
		know(mem, req, true);
	}
	return abuse_req_point(req, mem->bytes + req->offset);
}

static int mem_pwrite(struct abuse_req *req)
{
	const struct mem *mem = req->arg;
	int ret;

	if (!mem->bytes)
		return store_pwrite(req);
	if (req->offset + req->length > mem->reach)
		return -ENOSPC;
	if (!is_known(mem, req)) {
		ret = make_pages(mem, req);
		if (ret)
			return ret;
		know(mem, req, true);
	}
	return abuse_req_store(req, mem->bytes + req->offset);
}

static int mem_trim(struct abuse_req *req)
{
	int ret = store_trim(req);

	know(req->arg, req, false);
	return ret;
}

static int mem_zero(struct abuse_req *req)
{
	int ret = store_zero(req);

	know(req->arg, req, false);
	return ret;
}

/* ---- the object ---- */

/* Memory files of former set-ups of the device, under names that could not be guessed */
static void drop_old(const char *name)
{
	DIR *dir = opendir(SHM_DIR);
	const struct dirent *entry;
	size_t len = strlen(name + 1);

	while (dir && (entry = readdir(dir)))
		if (!strncmp(entry->d_name, name + 1, len) && entry->d_name[len] == '-')
			unlinkat(dirfd(dir), entry->d_name, 0);
	if (dir)
		closedir(dir);
}

/* The name that all expect, or else one that nobody does; a descriptor, or -1 with errno. */
static int make_object(struct mem *mem, char *label)
{
	size_t len = strlen(mem->name);
	uint32_t random;
	int fd;

	drop_old(mem->name);
	shm_unlink(mem->name);
	fd = shm_open(mem->name, O_RDWR | O_CREAT | O_EXCL, 0600);
	if (fd >= 0 || errno != EEXIST || !label ||
	    getrandom(&random, sizeof(random), 0) != sizeof(random))
		return fd;
	snprintf(mem->name + len, sizeof(mem->name) - len, "-%08x", random);
	snprintf(label, ABUSE_STORE_LEN, "%s%s%s", LABEL, SHM_DIR, mem->name);
	return shm_open(mem->name, O_RDWR | O_CREAT | O_EXCL, 0600);
}

static int mem_create(struct mem *mem, const struct target *target)
{
	int fd = make_object(mem, target->label);

	if (fd < 0)
		return failed(mem->name, "the shared-memory object cannot be made: %s",
			      strerror(errno)), -1;
	if (ftruncate(fd, (off_t)target->size)) {
		failed(mem->name, "size=%llu: the shared-memory object cannot be so "
		       "large: %s", (unsigned long long)target->size, strerror(errno));
		shm_unlink(mem->name);
		close(fd);
		return -1;
	}
	return fd;
}

/* logind removes what a user has there who has logged out, unless the user lingers. */
static void warn_of_logind(void)
{
	const struct passwd *user = getpwuid(geteuid());
	char path[300];

	snprintf(path, sizeof(path), "/run/systemd/users/%u", geteuid());
	if (!user || geteuid() < FIRST_USER || access(path, F_OK))
		return;
	snprintf(path, sizeof(path), "/var/lib/systemd/linger/%.200s", user->pw_name);
	if (access(path, F_OK))
		note("mem", "systemd-logind may remove the memory when you log out; 'loginctl "
		     "enable-linger' prevents that");
}

static int find_object(const struct mem *mem, const struct target *target)
{
	struct stat st;
	int fd;

	fd = shm_open(mem->name, O_RDWR, 0);
	if (fd < 0)
		return failed(device_name(target->number), "is up, but its "
			      "shared-memory object %s is missing (%s): the bytes are "
			      "lost, or another user's; 'abusectl reset %u' starts over. If "
			      "you had logged out, 'loginctl enable-linger' keeps it",
			      mem->name, strerror(errno), target->number), -1;
	if (fstat(fd, &st) || !S_ISREG(st.st_mode) || st.st_uid != geteuid() ||
	    (st.st_mode & 07777) != 0600 || (uint64_t)st.st_size != target->size) {
		failed(device_name(target->number), "is up, but its shared-memory "
		       "object %s is not ours of mode 0600 and %llu bytes; 'abusectl "
		       "reset %u' starts over", mem->name,
		       (unsigned long long)target->size, target->number);
		close(fd);
		return -1;
	}
	return fd;
}

static int mem_open(struct target *target, const char *args, void **store)
{
	struct mem *mem = calloc(1, sizeof(*mem));
	int fd;

	(void)args;
	if (!mem)
		return failed("mem", "out of memory");
	snprintf(mem->name, sizeof(mem->name), "/abuse-%u-%u", geteuid(),
		 target->number);
	if (target->is_up && target->label && !strncmp(target->label, LABEL SHM_DIR, strlen(LABEL SHM_DIR)))
		snprintf(mem->name, sizeof(mem->name), "%s", target->label + strlen(LABEL SHM_DIR));
	fd = target->is_up ? find_object(mem, target) : mem_create(mem, target);
	if (fd < 0) {
		free(mem);
		return EXIT_FAILED;
	}
	warn_of_logind();
	store_init(&mem->store, fd);
	mem->size = target->size;
	*store = mem;
	return EXIT_OK;
}

/*
 * Not locked, though all that the process maps be: locked memory is filled in, holes too. A mapping that is not locked stays
 * so when it grows. To unlock it at its full length took Linux 5.10 hours.
 */
static void *map(size_t size, int flags, int fd)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	void *first = mmap(NULL, page, PROT_NONE, flags | MAP_NORESERVE, fd, 0), *all;

	if (first == MAP_FAILED)
		return NULL;
	munlock(first, page);
	all = mremap(first, page, size, MREMAP_MAYMOVE);
	if (all == MAP_FAILED) {
		munmap(first, page);
		return NULL;
	}
	if (mprotect(all, size, PROT_READ | PROT_WRITE)) {
		munmap(all, size);
		return NULL;
	}
	return all;
}

static void mem_unmap(struct mem *mem)
{
	if (mem->bytes)
		munmap(mem->bytes, mem->reach);
	if (mem->known)
		munmap(mem->known, nr_pages(mem));
	mem->bytes = mem->known = NULL;
}

static unsigned char *map_object(struct mem *mem, uint64_t reach)
{
	mem->reach = reach;
	if (reach > SIZE_MAX / 2)
		return NULL;
	return map(reach, MAP_SHARED, mem->store.fd);
}

static int mem_map(struct mem *mem)
{
	mem->bytes = map_object(mem, mem->size < REACH / 2 ? REACH : 2 * mem->size);
	if (!mem->bytes)
		mem->bytes = map_object(mem, mem->size);
	mem->known = map(nr_pages(mem), MAP_PRIVATE | MAP_ANONYMOUS, -1);
	if (mem->bytes && mem->known)
		return 0;
	mem_unmap(mem);
	return -ENOMEM;
}

/* Data that must be durable cannot be stored this way. */
static int mem_direct(void *store, struct abuse_server *srv)
{
	struct abuse_params params;
	int ret = abuse_ctl_get_params(abuse_server_ctl(srv), &params);

	if (ret < 0)
		return ret;
	if (!(params.all_features & ABUSE_F_STORE) || params.features & ABUSE_F_FUA)
		return -EOPNOTSUPP;
	ret = mem_map(store);
	if (!ret && abuse_server_holds(srv) & ABUSE_IS_LOCKED)
		mlock2(((struct mem *)store)->known, nr_pages(store), MLOCK_ONFAULT);
	return ret;
}

/* READs alone: bytes that are written are stored here sooner than by a worker. */
static int mem_serve_reads(void *store, struct abuse_server *srv)
{
	const struct mem *mem = store;
	int index = abuse_server_add_file(srv, mem->store.fd);

	return index < 0 ? index : store_file_map(srv, index, mem->size, ABUSE_MAP_READ);
}

/* Drops the object @name of which @ours is open, unless the name is a new life's already. */
static void drop(const char *name, int ours)
{
	struct stat open, named;
	int fd = shm_open(name, O_RDONLY, 0);

	if (fd < 0)
		return;
	if (!fstat(fd, &named) && !fstat(ours, &open) &&
	    named.st_ino == open.st_ino && named.st_dev == open.st_dev)
		shm_unlink(name);
	close(fd);
}

/*
 * The name of an object of this user, from the label of the device. The owner of the device wrote the label, so nothing
 * else may be a name.
 */
static bool name_of_object(unsigned int number, char name[NAME_TEXT])
{
	char label[ABUSE_STORE_LEN + 1];
	size_t len;

	device_attribute(number, "store", label, sizeof(label));
	len = (size_t)snprintf(name, NAME_TEXT, "/abuse-%u-%u", geteuid(), number);
	if (strncmp(label, LABEL SHM_DIR, strlen(LABEL SHM_DIR)) ||
	    strncmp(label + strlen(LABEL SHM_DIR), name, len))
		return false;
	snprintf(name, NAME_TEXT, "%s", label + strlen(LABEL SHM_DIR));
	return !name[len] || (name[len] == '-' && !name[len + 1 + strspn(name + len + 1, "0123456789abcdef")]);
}

void mem_find(unsigned int number, struct mem_object *object)
{
	struct abuse_dev dev;
	struct stat st;

	object->fd = -1;
	if (abuse_dev_stat(number, &dev) || dev.servers || !name_of_object(number, object->name))
		return;
	object->fd = shm_open(object->name, O_RDWR, 0);
	if (object->fd >= 0 && (fstat(object->fd, &st) || !S_ISREG(st.st_mode) || st.st_uid != geteuid())) {
		close(object->fd);
		object->fd = -1;
	}
}

void mem_free(const struct mem_object *object, bool is_gone)
{
	if (object->fd < 0)
		return;
	if (is_gone)
		drop(object->name, object->fd);
	close(object->fd);
}

static void mem_close(void *store, bool is_gone)
{
	struct mem *mem = store;

	if (is_gone)
		drop(mem->name, mem->store.fd);
	mem_unmap(mem);
	store_close(&mem->store);
	free(mem);
}

const struct backend backend_mem = {
	.name = "mem",
	.summary = "memory that outlives the server, until reset or reboot",
	.features = ABUSE_F_DISCARD | ABUSE_F_WRITE_ZEROES,
	.batch = 64,
	.ops = {
		.pread = mem_pread,
		.pwrite = mem_pwrite,
		.trim = mem_trim,
		.zero = mem_zero,
	},
	.open = mem_open,
	.direct = mem_direct,
	.direct_flags = ABUSE_SERVER_NO_WRITE_DATA,
	.map = mem_serve_reads,
	.close = mem_close,
};
