/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * Swap space and a mounted file system on disks that `abusectl server` serves, with all but 200 MiB of
 * the memory locked and more than that in use: while servers are killed and the other one of each disk goes
 * on, or with a map no server is left at all, every page comes back from swap as it was, every file has
 * its bytes, and all of it ends.
 *
 * The stores are written first, as a swap file is: a file system that has to allocate blocks for them while memory
 * is short may wait for the very swap space that waits for it. abuse(4) says so.
 *
 * PRESSURE_SECONDS is how long with each kind of server (12). To the file PRESSURE_TALLY a line is appended
 * for each: kind, seconds, kills, MiB swapped out, MiB written, faults. With stress-ng, that runs too if
 * PRESSURE_SECONDS is given.
 */
/* timeout: 150 */
/* own-guest */
#include "abuse.h"
#include <sys/mman.h>
#include <sys/swap.h>

#define FREE_MIB	200		/* servers take a part of it */
#define STORE_MIB	320
#define EXTRA_MIB	120		/* in use beyond what is free */
#define EATERS		2
#define SERVERS		2		/* of each disk */

static char dir[] = "/var/tmp/pressure-XXXXXX";
static struct device swap, disk;

static struct shared {
	_Atomic bool is_over;
	_Atomic unsigned long rounds, wrong, failed, written;
} *s;

static unsigned long counter(const char *path, const char *name)
{
	char line[128];
	unsigned long value = 0;
	FILE *file = fopen(path, "r");
	size_t length = strlen(name);

	while (file && fgets(line, sizeof(line), file))
		if (!strncmp(line, name, length))
			value = strtoul(line + length, NULL, 10);
	if (file)
		fclose(file);
	return value;
}

static unsigned long swapped_out_mib(void)
{
	return counter("/proc/vmstat", "pswpout ") * 4096 / MIB;
}

/* ---- who uses the memory -------------------------------------------------------------- */

/* Each page has its number and its round; they are read in an order that no reclaim expects. */
static int eat(void *arg)
{
	size_t pages = (uintptr_t)arg * MIB / 4096, at = 0;
	uint64_t *p = mmap(NULL, pages * 4096, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), round = 0;

	if (p == MAP_FAILED)
		return 1;
	for (size_t i = 0; i < pages && !s->is_over; i++)
		p[i * 512] = i;
	for (; !s->is_over; round++) {
		for (size_t i = 0; i < pages && !s->is_over; i++) {
			at = (at + 7919) % pages;
			if ((p[at * 512] & 0xffffffff) != at)
				s->wrong++;
			p[at * 512] = round << 32 | at;
		}
		s->rounds++;
	}
	return 0;
}

static int write_files(void *arg)
{
	unsigned char *data = memory_new(256 * KIB);
	char path[64];

	(void)arg;
	for (unsigned int i = 0; !s->is_over; i++) {
		int fd;

		snprintf(path, sizeof(path), "/mnt/f%u", i % 16);
		fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
		for (unsigned int k = 0; k < 16 && !s->is_over; k++) {
			pattern_fill(data, 256 * KIB, i + k);
			s->failed += write(fd, data, 256 * KIB) != (ssize_t)(256 * KIB);
		}
		if (fd < 0 || (i % 4 == 0 && fsync(fd)))
			s->failed++;
		posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
		for (unsigned int k = 0; k < 16 && !s->is_over; k++)
			if (pread(fd, data, 256 * KIB, k * 256 * KIB) != (ssize_t)(256 * KIB) ||
			    !pattern_is(data, 256 * KIB, i + k))
				s->wrong++;
		close(fd);
		s->written += 4;
	}
	return 0;
}

/* ---- servers ------------------------------------------------------------------------------ */

static pid_t serve(const struct device *d, const char *keys)
{
	char number[16], backend[256], all_keys[64];
	pid_t pid;

	snprintf(number, sizeof(number), "%u", d->number);
	snprintf(backend, sizeof(backend), "file:%s/%s", dir, d == &swap ? "swap" : "disk");
	snprintf(all_keys, sizeof(all_keys), "size=%dM,%s", STORE_MIB, keys);
	fflush(stdout);
	pid = fork();
	if (pid)
		return pid;
	close_all_above_2();
	if (!freopen("/dev/null", "w", stdout))
		_exit(126);
	execlp("abusectl", "abusectl", "server", number, backend, all_keys, NULL);
	_exit(127);
}

static void end(pid_t pid)
{
	if (pid <= 0)
		return;
	kill(pid, SIGKILL);
	child_wait(pid);
}

static void start(struct device *d, pid_t *pid, const char *keys)
{
	*d = device_new_depth(2, 32);
	for (int i = 0; i < SERVERS; i++) {
		pid[i] = serve(d, keys);
		need(wait_for(attribute_number(d, "servers") == i + 1), "server %d of %s", i, d->disk);
	}
}

/* ---- one kind --------------------------------------------------------------------------------- */

static void write_tally(const char *keys, double seconds, unsigned long kills, unsigned long mib)
{
	const char *path = getenv("PRESSURE_TALLY");
	FILE *file = path ? fopen(path, "a") : NULL;

	if (!file)
		return;
	fprintf(file, "%s %.0f %lu %lu %lu %lu\n", keys, seconds, kills, mib, s->written,
		s->wrong + s->failed);
	fclose(file);
}

static void lock_all_but(unsigned long mib)
{
	unsigned long there = counter("/proc/meminfo", "MemAvailable:") / 1024;
	void *p;

	need(there > mib + 64, "more than %lu MiB (%lu)", mib, there);
	p = mmap(NULL, (there - mib) * MIB, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED | MAP_POPULATE, -1, 0);
	need(p != MAP_FAILED && !madvise(p, (there - mib) * MIB, MADV_DONTFORK),
	     "%lu MiB of locked memory", there - mib);
}

static void try(const char *keys, bool is_mapped, double seconds)
{
	pid_t servers[2 * SERVERS], eaters[EATERS], writer, stress = 0;
	unsigned long kills = 0, out = swapped_out_mib(), written = 0;
	double begin;

	memset(s, 0, sizeof(*s));
	start(&swap, servers, keys);
	start(&disk, servers + SERVERS, keys);
	need(!shell("mkswap %s >/dev/null && swapon -p 100 %s", swap.disk, swap.disk), "swap space");
	need(!shell("mkfs.ext4 -q %s && mount %s /mnt", disk.disk, disk.disk), "a file system");
	for (int i = 0; i < EATERS; i++)
		eaters[i] = child_start(eat, (void *)(uintptr_t)((FREE_MIB + EXTRA_MIB) / EATERS));
	writer = child_start(write_files, NULL);
	if (getenv("PRESSURE_SECONDS") && !shell("command -v stress-ng >/dev/null")) {
		stress = fork();
		if (!stress) {
			execlp("stress-ng", "stress-ng", "-q", "--vm", "1", "--vm-bytes", "32M", "--hdd", "1",
			       "--hdd-bytes", "16M", "--temp-path", "/mnt", "--timeout", "0", NULL);
			_exit(127);
		}
	}
	/* On a slow machine memory is short later. */
	for (begin = now(); now() - begin < seconds ||
	     ((!s->written || swapped_out_mib() == out) && now() - begin < stretched(60)); kills++) {
		unsigned int i = kills % (2 * SERVERS);

		nap_ms(500);
		/* With a map none is left; else the other one goes on, and the new one may take its time. */
		end(servers[i]);
		servers[i] = is_mapped ? 0 : serve(i < SERVERS ? &swap : &disk, keys);
		if (!is_mapped)
			ok(wait_for(attribute_number(i < SERVERS ? &swap : &disk, "servers") == SERVERS),
			   "%s: the new server serves", keys);
		if (is_mapped && kills + 1 == 2 * SERVERS)
			written = s->written;
	}
	s->is_over = true;
	if (stress > 0)
		end(stress);
	for (int i = 0; is_mapped && i < 2 * SERVERS; i++)
		if (servers[i] <= 0)
			servers[i] = serve(i < SERVERS ? &swap : &disk, keys);
	for (int i = 0; i < EATERS; i++)
		is(child_wait(eaters[i]), 0, "a process that uses swap ends");
	is(child_wait(writer), 0, "a process that writes ends");
	out = swapped_out_mib() - out;
	printf("# %s: %lu MiB swapped out, %lu MiB written, %lu of them once no server was left, %lu kills\n",
	       keys, out, s->written, is_mapped ? s->written - written : 0, kills);
	is(s->wrong, 0, "pages and files with other bytes");
	is(s->failed, 0, "writes that failed");
	ok(out > 0 && s->written > 0, "%s: memory was short", keys);
	need(!shell("swapoff %s && umount /mnt", swap.disk), "swapoff, umount");
	is(shell("e2fsck -fn %s >/dev/null 2>&1", disk.disk), 0, "e2fsck");
	write_tally(keys, now() - begin, kills, out);
	for (int i = 0; i < 2 * SERVERS; i++)
		end(servers[i]);
	shell("abusectl reset --force %u; abusectl reset --force %u", swap.number, disk.number);
}

static void remove_all(void)
{
	if (getpid() == test_main_pid)
		shell("swapoff -a; umount /mnt 2>/dev/null; rm -rf %s", dir);
}

int main(void)
{
	const char *text = getenv("PRESSURE_SECONDS");
	double seconds = text ? atof(text) : 12;

	test_begin();
	if (shell("command -v abusectl mkswap swapon mkfs.ext4 >/dev/null"))
		skip("abusectl, mkswap or mkfs.ext4 is not here");
	need(mkdtemp(dir), "a folder");
	s = memory_new(sizeof(*s));
	atexit(remove_all);
	need(!shell("for store in swap disk; do dd if=/dev/zero of=%s/$store bs=1M count=%d conv=fsync status=none || exit; done",
		    dir, STORE_MIB), "stores without holes");
	mlockall(MCL_CURRENT);
	lock_all_but(FREE_MIB);
	try("map=0", false, seconds);
	try("map=1", true, seconds);
	return done();
}
