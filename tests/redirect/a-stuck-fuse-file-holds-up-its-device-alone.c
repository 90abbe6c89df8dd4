/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * A registered file is on a FUSE file system whose server does not answer. While a redirected or
 * mapped request waits for it, RESET and MAP wait and can be killed, REMOVE and unload are
 * refused, and other devices come and go. When the FUSE server is gone, all of them end. So do
 * they if the last close of the file waits for the FUSE server, be it RESET, REMOVE or the call
 * that unregisters the file which let go of it; MAP does not wait for that.
 */
/* timeout: 180 */
#include "fuse.h"
#include "map.h"

#define SIZE	(256 * KIB)
#define BUSY	"rmmod abuse 2>&1 | grep -q 'in use'"

static struct device dev;

/* ---- the FUSE server, in a process of its own ------------------------------------------- */

static struct {
	_Atomic uint32_t mute;		/* requests of this kind are not answered */
	_Atomic unsigned int nr_muted;
	unsigned char store[SIZE];
} *s;
static pid_t fuse_pid;

static void answer_read(const struct fuse_in_header *in, const struct fuse_read_in *asked)
{
	fuse_answer(in, 0, s->store + asked->offset, asked->size);
}

static void answer_write(const struct fuse_in_header *in, const struct fuse_write_in *asked)
{
	struct fuse_write_out out = { .size = asked->size };

	memcpy(s->store + asked->offset, asked + 1, out.size);
	fuse_answer(in, 0, &out, sizeof(out));
}

static bool is_mute(const struct fuse_in_header *in)
{
	if (in->opcode != s->mute)
		return false;
	s->nr_muted++;
	return true;
}

static int fuse_child(void *unused)
{
	fuse_main(unused);
	return 0;
}

static void fuse_kill(void)
{
	if (getpid() != test_main_pid || !fuse_pid)
		return;
	kill(fuse_pid, SIGKILL);
	is(child_wait(fuse_pid), 256 + SIGKILL, "the FUSE server is killed");
	fuse_pid = 0;
}

/* Before anything else is opened, which the child would keep open. */
static void fuse_begin(uint32_t mute)
{
	s->nr_muted = 0;
	s->mute = mute;
	fuse = (struct fuse) {
		.folder = "/tmp/stuck", .size = SIZE, .mode = 0600, .read = answer_read,
		.write = answer_write, .init_flags = FUSE_WRITEBACK_CACHE, .is_mute = is_mute,
	};
	if (!fuse_mount(""))
		skip("no FUSE in this kernel");
	fuse_pid = child_start(fuse_child, NULL);
	close(fuse_fd);
	atexit(fuse_kill);
}

static void fuse_end(void)
{
	umount2(fuse.folder, MNT_DETACH);
}

static int fuse_open(void)
{
	int fd = open("/tmp/stuck/file", O_RDWR | O_CLOEXEC);

	need(fd >= 0, "a file there");
	return fd;
}

/* ---- the device --------------------------------------------------------------------------- */

static void device_begin(void)
{
	dev = device_new();
	set_up(&dev, SIZE, ABUSE_F_WRITE_CACHE);
}

/* ---- calls, each in a process of its own ----------------------------------------------- */

static int reset_it(void *unused)
{
	int ctl = server_open(&dev), ret = reset(ctl);

	(void)unused;
	close(ctl);
	return -ret;
}

static int clear_it(void *unused)
{
	int ctl = server_open(&dev);

	(void)unused;
	return -map_one(ctl, entry_clear(0, SIZE / 512, MAP_ALL));
}

static void waits_and_can_be_killed(int (*fn)(void *), const char *what)
{
	pid_t pid = child_start(fn, NULL);

	ok(child_runs_on(pid), "%s waits for the file", what);
	kill(pid, SIGKILL);
	is(child_wait(pid), 256 + SIGKILL, "and can be killed");
}

static void others_go_on(void)
{
	struct device other = device_new();
	char *store = memory_new(SIZE);
	struct ram *ram;

	set_up(&other, SIZE, 0);
	ram = ram_start(&other, store, SIZE);
	is(io_end(io_write(&other, 0, 4096, 1)), 0, "another device is added, set up and served");
	ram_stop(ram);
	is(device_remove(other.number), 0, "and removed");
	munmap(store, SIZE);
}

static void unloads(void)
{
	ok(wait_for(!shell("rmmod abuse 2>/dev/null")), "the module unloads");
	is(shell("modprobe abuse"), 0, "and loads");
}

/* A request waits for the file, and its server is dead. */
static void is_stuck(struct io *io)
{
	ok(wait_for(s->nr_muted == 1), "the FUSE server has the request, and does not answer");
	is(attribute_number(&dev, "redirected"), 1, "redirected");
	waits_and_can_be_killed(reset_it, "RESET");
	is(device_remove_once(dev.number), -EBUSY, "REMOVE of an open disk");
	is(shell(BUSY), 0, "unload is refused");
	others_go_on();
	ok(!io->done, "the request waits");
}

/* The FUSE server is gone. */
static void is_over(struct io *io)
{
	fuse_kill();
	is(io_end(io), EIO, "the request ends");
	is(reset_it(NULL), 0, "RESET");
	is(device_remove(dev.number), 0, "REMOVE");
	unloads();
	fuse_end();
}

/* ---- redirect ---------------------------------------------------------------------------- */

static int redirect_one(void *unused)
{
	int ctl = server_open(&dev), file = registered(ctl, fuse_open());
	struct abuse_request q = fetch_one(ctl, NULL, 0);

	(void)unused;
	need(!redirect(ctl, q.id, file, q.sector * 512), "a redirect");
	for (;;)
		pause();
}

static void redirected(void)
{
	struct io *io;
	pid_t pid;

	puts("# redirected");
	fuse_begin(FUSE_READ);
	device_begin();
	pid = child_start(redirect_one, NULL);
	io = io_go_child(io_prepare(&dev, IO_READ, 8192, 4096));
	need(wait_for(attribute_number(&dev, "redirected") == 1), "the file to have it");
	kill(pid, SIGKILL);
	is_stuck(io);
	is_over(io);
	is(child_wait(pid), 256 + SIGKILL, "its server is gone");
}

/* ---- map ------------------------------------------------------------------------------------ */

static void map_it(void)
{
	int ctl = server_open(&dev), fd = fuse_open();

	is(map_bytes(ctl, registered(ctl, fd), 0, SIZE, MAP_RW), 0, "MAP");
	close(fd);
	close(ctl);
}

static void mapped(void)
{
	struct io *io;

	puts("# mapped");
	fuse_begin(FUSE_READ);
	device_begin();
	map_it();
	io = io_go_child(io_prepare(&dev, IO_READ, 8192, 4096));
	need(wait_for(attribute_number(&dev, "redirected") == 1), "the file to have it");
	waits_and_can_be_killed(clear_it, "MAP that clears");
	is_stuck(io);
	is_over(io);
}

static int remove_it(void *unused)
{
	(void)unused;
	return -device_remove(dev.number);
}

/* A server, and the index of its file. */
static int letting_ctl;
static uint32_t letting_file;

static int unregister_it(void *unused)
{
	(void)unused;
	return -file_unregister(letting_ctl, letting_file);
}

/*
 * A page of the file is dirty, and each last close of a file writes back its inode. The call that
 * lets go of it waits for a worker that closes it, and can be killed, unless it is MAP. Nobody else waits. No child
 * of the test has the page or a descriptor: the end of either writes back, too.
 */
static void closed(const char *name, int (*let_go)(void *))
{
	char *page;
	pid_t pid;
	int fd;

	printf("# the last close: %s\n", name);
	fuse_begin(FUSE_SETATTR);
	device_begin();
	letting_ctl = server_open(&dev);
	fd = fuse_open();
	page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	need(page != MAP_FAILED && !madvise(page, 4096, MADV_DONTFORK), "a mapping");
	close(fd);
	fd = fuse_open();
	letting_file = registered(letting_ctl, fd);
	close(fd);
	if (let_go != unregister_it) {
		is(map_bytes(letting_ctl, letting_file, 0, SIZE, MAP_RW), 0, "MAP");
		is(file_unregister(letting_ctl, letting_file), 0, "the map alone has the file");
	}
	page[0] = 'd';
	pid = child_start(let_go, NULL);
	ok(wait_for(s->nr_muted), "the last close asks the FUSE server, which does not answer");
	if (let_go == clear_it)
		is(child_wait(pid), 0, "the caller does not wait");
	else
		ok(child_runs_on(pid), "the caller waits");
	if (let_go == reset_it) {
		others_go_on();
		is(reset(letting_ctl), 0, "the device is reset meanwhile");
		set_up(&dev, SIZE, 0);
		is(reset_it(NULL), 0, "and set up and reset again");
	}
	close(letting_ctl);
	if (let_go != remove_it)
		is(device_remove(dev.number), 0, "the device is removed");
	is(shell(BUSY), 0, "unload is refused");
	if (let_go != clear_it) {
		kill(pid, SIGKILL);
		is(child_wait(pid), 256 + SIGKILL, "the caller can be killed");
	}
	fuse_kill();
	munmap(page, 4096);
	unloads();
	fuse_end();
}

int main(void)
{
	test_begin();
	s = memory_new(sizeof(*s));
	redirected();
	mapped();
	/* Others close it in the caller, as close(2) does. */
	if (shell("grep -q __ksymtab___fput_sync /proc/kallsyms")) {
		puts("# this kernel's workers cannot close files");
		return done();
	}
	closed("RESET", reset_it);
	closed("MAP", clear_it);
	closed("REMOVE", remove_it);
	closed("the call that unregisters", unregister_it);
	return done();
}
