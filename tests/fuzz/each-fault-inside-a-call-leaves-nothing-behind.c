/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * The first allocation or copy of a call fails, then the second, and so on until the call passes. After each failed call there are as many devices as before and
 * as many users of the module, no request is lost, a map is the old one or the new one, and
 * the same call succeeds when nothing fails.
 *
 * Needs a module of tests/campaign/checked, in which calls that it makes itself fail, and waits, as if a
 * signal came; with FAULTS_OF=kernel a kernel with fault injection (/proc/self/fail-nth). FAULTS_ALL=1: each fault, not ever
 * fewer of those after the 32nd; FAULTS_ONLY=NAME: one kind of call.
 */
/* timeout: 240 */
#include "map.h"
#include <sys/epoll.h>

#define DISK_SIZE	(1 * MIB)
#define MAX_FAULTS	4000
#define NR_ENTRIES	80

static const char *const kinds[] = {
	"failslab", "fail_page_alloc", "fail_usercopy", "fail_make_request",
};

static struct device d;
static unsigned char *store, *data, *buffer;
static int ctl, other_ctl, file_fd, file_index;
static unsigned long faults, calls;

/* Says only what is wrong: there are thousands of calls. */
#define expect(cond, ...) do { if (!(cond)) ok(false, __VA_ARGS__); } while (0)

/* ---- faults ---------------------------------------------------------------------------- */

#define OF_THE_MODULE	"/sys/kernel/debug/abuse-fail-nth"

static int nth_fd;

static bool can_inject(void)
{
	shell("mountpoint -q /sys/kernel/debug || mount -t debugfs none /sys/kernel/debug");
	nth_fd = open(OF_THE_MODULE, O_RDWR | O_CLOEXEC);
	if (nth_fd >= 0)
		return true;
	if (!getenv("FAULTS_OF") || strcmp(getenv("FAULTS_OF"), "kernel"))
		return false;
	nth_fd = open("/proc/self/fail-nth", O_RDWR | O_CLOEXEC);
	if (nth_fd < 0)
		return false;
	for (unsigned int i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (shell("cd /sys/kernel/debug/%s 2>/dev/null && echo 0 >verbose && "
			  "for f in ignore-gfp-wait ignore-gfp-highmem min-order; do "
			  "[ ! -e $f ] || echo 0 >$f; done", kinds[i]))
			return false;
	return true;
}

static void fault_set(unsigned int n)
{
	char text[16];
	int length = snprintf(text, sizeof(text), "%u", n);

	/* The write itself may be what fails. */
	while (pwrite(nth_fd, text, length, 0) != length)
		need(errno == EFAULT, "to set the fault");
}

/* Whether the fault has come since it was set. */
static bool fault_came(void)
{
	char text[16] = "";
	ssize_t n = pread(nth_fd, text, sizeof(text) - 1, 0);

	fault_set(0);
	return n > 0 && !atoi(text);
}

/* ---- calls ------------------------------------------------------------------------------ */

struct kind {
	const char *name;
	void (*begin)(void);		/* before each call, without a fault */
	int (*call)(void);		/* 0 or -errno */
	void (*end)(int ret);		/* after each call, without a fault */
};

static struct abuse_add add;
static struct abuse_params params;
static int result;

static void begin_add(void)
{
	add = (struct abuse_add) {
		.size = sizeof(add), .number = ABUSE_NUMBER_ANY, .hw_queues = 1, .depth = 4,
	};
}

static void begin_add_as(void)
{
	begin_add();
	params = params_of(DISK_SIZE);
	params.flags = ABUSE_PARAMS_SEALED;
	params.features = ABUSE_F_WRITE_CACHE | ABUSE_F_FUA;
	add.flags = ABUSE_ADD_OPEN;
	add.params = ADDR(&params);
}

static int control_fd;

static int call_add(void)
{
	result = call(control_fd, ABUSE_CTL_ADD, &add);
	return result < 0 ? result : 0;
}

static void end_add(int ret)
{
	if (ret) {
		expect(add.number == ABUSE_NUMBER_ANY, "the number that was asked for");
		return;
	}
	if (result > 0) {
		reset(result);
		close(result);
	}
	expect(!device_remove(add.number), "REMOVE of the new device");
}

static void begin_remove(void)
{
	begin_add();
	need(!call(control_fd, ABUSE_CTL_ADD, &add), "a device");
	/* udev may have it open until then. */
	need(wait_for(!access(device_of(add.number).node, F_OK)), "its node");
}

static int call_remove(void)
{
	int ret;

	do
		ret = call_value(control_fd, ABUSE_CTL_REMOVE, add.number);
	while (ret == -EBUSY);
	return ret;
}

static void end_remove(int ret)
{
	if (ret)
		expect(!device_remove(add.number), "REMOVE, again");
}

static int call_get_free(void)
{
	int ret = call_value(control_fd, ABUSE_CTL_GET_FREE, 0);

	return ret < 0 ? ret : 0;
}

static int empty_ctl;
static struct device empty;

static void begin_set_up(void)
{
	params = params_of(DISK_SIZE);
	params.flags = ABUSE_PARAMS_SEALED;
	params.features = ABUSE_F_WRITE_CACHE | ABUSE_F_DISCARD;
	params.logical_block_size = 4096;
	strcpy((char *)params.store, "faults");
}

static int call_set_up(void)
{
	int ret;

	do
		ret = set_params(empty_ctl, &params);
	while (ret == -EBUSY);
	return ret;
}

static void end_set_up(int ret)
{
	expect(!strcmp(attribute(&empty, "state"), "up") == !ret, "the device is up");
	expect(!reset(empty_ctl), "RESET");
}

static int call_set_status(void)
{
	struct abuse_info info = {
		.ab_size = DISK_SIZE, .ab_blocksize = 512, .ab_max_queue = 8,
	};
	int ret;

	do
		ret = set_status(empty_ctl, &info);
	while (ret == -EBUSY);
	return ret;
}

static void begin_reset(void)
{
	begin_set_up();
	need(!call_set_up(), "SET_PARAMS");
}

static int call_reset(void)
{
	return reset(empty_ctl);
}

static void end_reset(int ret)
{
	expect(!ret || ret == -EINTR, "RESET only fails as if killed (%d)", ret);
	if (ret)
		expect(!reset(empty_ctl), "RESET, again");
	expect(!strcmp(attribute(&empty, "state"), "empty"), "the device is empty");
}

static uint64_t wanted_size = DISK_SIZE;

static void begin_resize(void)
{
	need(!get_params(ctl, &params), "GET_PARAMS");
	wanted_size = params.capacity == DISK_SIZE ? DISK_SIZE + 65536 : DISK_SIZE;
	params.capacity = wanted_size;
}

static int call_resize(void)
{
	return set_params(ctl, &params);
}

static void end_resize(int ret)
{
	if (!ret)
		expect(disk_size(&d) == wanted_size, "the new size");
}

static int call_get_params(void)
{
	return get_params(ctl, &params);
}

static int opened;

static int call_open_node(void)
{
	opened = open(d.node, O_RDWR | O_CLOEXEC);
	return opened < 0 ? -errno : 0;
}

static int call_open_disk(void)
{
	opened = open(d.disk, O_RDWR | O_DIRECT | O_CLOEXEC);
	return opened < 0 ? -errno : 0;
}

static void end_open(int ret)
{
	if (!ret)
		close(opened);
}

static void begin_close(void)
{
	opened = server_open(&d);
	need(file_register(opened, file_fd) >= 0, "REGISTER_FILE");
}

static int call_close(void)
{
	return close(opened) ? -errno : 0;
}

static int call_register(void)
{
	result = file_register(ctl, file_fd);
	return result < 0 ? result : 0;
}

static void end_register(int ret)
{
	if (!ret)
		expect(!file_unregister(ctl, result), "UNREGISTER_FILE");
}

static void begin_unregister(void)
{
	need(!call_register(), "REGISTER_FILE");
}

static int call_unregister(void)
{
	return file_unregister(ctl, result);
}

static void end_unregister(int ret)
{
	if (ret)
		expect(!file_unregister(ctl, result), "UNREGISTER_FILE, again");
}

/* Every other sector of the first half, so that nothing can be merged. */
static struct abuse_map_entry entries[NR_ENTRIES], got[2 * NR_ENTRIES];
static bool is_odd;

static void begin_map(void)
{
	is_odd = !is_odd;
	for (int i = 0; i < NR_ENTRIES; i++)
		entries[i] = entry(16 * i, 8, file_index, (is_odd ? 4096 : 0) + 16 * 512 * i, MAP_R);
}

static int call_map(void)
{
	return map_entries(ctl, entries, NR_ENTRIES);
}

static void end_map(int ret)
{
	int n = map_get(ctl, 0, got, 2 * NR_ENTRIES);
	bool is_whole = n == NR_ENTRIES;

	for (int i = 0; i < n; i++)
		is_whole &= got[i].offset == entries[i].offset;
	if (!ret)
		expect(is_whole, "the new map holds (%d extents)", n);
	else if (ret != -EINTR)	/* killed: before it, or as it waited for older requests */
		expect(!is_whole, "the old map holds after %d (%d extents)", ret, n);
	if (!is_whole)
		is_odd = !is_odd;
}

static int call_map_clear(void)
{
	return map_one(ctl, entry_clear(4, 8 * NR_ENTRIES, MAP_ALL));
}

static void end_map_clear(int ret)
{
	begin_map();
	expect(!call_map(), "MAP after CLEAR");
	(void)ret;
}

static int call_get_map(void)
{
	int n = map_get(ctl, 0, got, 2 * NR_ENTRIES);

	return n < 0 ? n : 0;
}

static bool has_bytes_of_file(const unsigned char *p, size_t n, uint64_t offset)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] != pattern_byte(offset + i, 1))
			return false;
	return true;
}

/* The second half of the disk is not mapped: a server gets its requests. */
#define SERVED		(DISK_SIZE / 2)

static struct io *io;
static struct abuse_request request;
static struct abuse_reply answer;
static unsigned int turn;

static void begin_fetch(void)
{
	io = io_prepare(&d, IO_WRITE, SERVED + (turn++ % 8) * 65536, 16384);
	pattern_fill(io->data, 16384, turn);
	io_go(io);
	need(wait_for(attribute_number(&d, "queued") == 1), "a request");
}

static int call_fetch(void)
{
	int n = fetch(ctl, &request, 1, buffer, RAM_BUFFER, SEC);

	return n < 0 ? n : n == 1 ? 0 : -EPROTO;
}

static void end_fetch(int ret)
{
	if (ret)
		expect(!call_fetch(), "EXCHANGE, again");
	expect(pattern_is(buffer + request.offset, 16384, turn), "its bytes");
	expect(!reply(ctl, request.id, 0, NULL), "a reply");
	expect(!io_end(io), "the WRITE");
}

static void begin_reply(void)
{
	io = io_start(&d, IO_READ, SERVED + (turn++ % 8) * 65536, 16384);
	need(!call_fetch(), "a request");
	pattern_fill(data, 16384, turn);
	answer = (struct abuse_reply) { .id = request.id, .address = ADDR(data) };
}

static int call_reply(void)
{
	int ret = exchange_both(ctl, &answer, 1, NULL, 0, NULL, 0, NO_WAIT);

	return ret < 0 ? ret : -(int)answer.status;
}

/* A call that failed after the reply was taken says so at the next one. */
static void end_reply(int ret)
{
	if (ret && !wait_for_within(io->done ? 0 : 0.01, io->done)) {
		int again = call_reply();

		expect(!again || again == -ESTALE, "the reply, again (%d)", again);
	}
	expect(wait_for(io->done), "the READ ends after %d", ret);
	expect(pattern_is(io->data, 16384, turn), "its bytes");
	expect(!io_end(io), "the READ");
}

static void begin_redirect(void)
{
	begin_reply();
	answer.flags = ABUSE_REPLY_REDIRECT;
	answer.file = file_index;
	answer.address = 4096;
}

/* The file's I/O is a worker's: no fault of ours reaches it. */
static void end_redirect(int ret)
{
	if (ret && !wait_for_within(0.2, io->done))
		call_reply();
	expect(wait_for(io->done), "the redirected READ ends after %d", ret);
	expect(has_bytes_of_file(io->data, 16384, 4096), "the file's bytes");
	expect(!io_end(io), "the READ");
}

static struct bio bio;

static void begin_get(void)
{
	io = io_prepare(&d, IO_WRITE, SERVED + (turn++ % 8) * 65536, 16384);
	pattern_fill(io->data, 16384, turn);
	io_go(io);
	need(wait_for(attribute_number(&d, "queued") == 1), "a request");
}

static int call_get(void)
{
	return get_bio(other_ctl, &bio);
}

static void end_get(int ret)
{
	if (ret)
		expect(!call_get(), "GET_BIO, again");
	bio_point(&bio, data);
	expect(!put_bio(other_ctl, &bio, 0), "PUT_BIO");
	expect(pattern_is(data, 16384, turn), "its bytes");
	expect(!io_end(io), "the WRITE");
}

static void begin_put(void)
{
	begin_get();
	need(!call_get(), "GET_BIO");
	bio_point(&bio, data);
}

static int call_put(void)
{
	return put_bio(other_ctl, &bio, 0);
}

static void end_put(int ret)
{
	if (ret) {
		expect(!call_get(), "GET_BIO, again");
		bio_point(&bio, data);
		expect(!call_put(), "PUT_BIO, again");
	}
	expect(pattern_is(data, 16384, turn), "its bytes");
	expect(!io_end(io), "the WRITE");
}

/* I/O of the mapped half: the submitter's own faults. */
static int disk_fd;

static int call_mapped_read(void)
{
	ssize_t n = pread(disk_fd, data, 4096, 16 * 512);

	return n < 0 ? -errno : n == 4096 ? 0 : -EPROTO;
}

static void end_mapped_read(int ret)
{
	if (!ret)
		expect(has_bytes_of_file(data, 4096, entries[1].offset), "the file's bytes");
}

static int call_poll(void)
{
	struct epoll_event event = { .events = EPOLLIN };
	int fd = epoll_create1(EPOLL_CLOEXEC), ret = 0;

	if (fd < 0)
		return -errno;
	if (epoll_ctl(fd, EPOLL_CTL_ADD, ctl, &event))
		ret = -errno;
	close(fd);
	return ret;
}

static int call_set_poll(void)
{
	return set_poll(ctl, is_odd);
}

static int call_sysfs(void)
{
	static const char *const names[] = { "state", "queued", "store", "map_missed", "stats" };

	for (unsigned int i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		attribute(&d, names[i]);
	return 0;
}

static int call_fdinfo(void)
{
	char path[64], text[512];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", ctl);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = read(fd, text, sizeof(text));
	close(fd);
	return n > 0 ? 0 : -EIO;
}

/* Not loaded before nor after. */
static int module_fd = -1;

static int call_load(void)
{
	return syscall(SYS_finit_module, module_fd, "max_abuse=2", 0) ? -errno : 0;
}

static void end_load(int ret)
{
	expect(ret || wait_for(!shell("rmmod abuse 2>/dev/null")), "rmmod");
	expect(access("/sys/module/abuse", F_OK), "the module is gone after %d", ret);
}

static const struct kind loading = { "the module's start", NULL, call_load, end_load };

static const struct kind all[] = {
	{ "SET_PARAMS of a live disk", begin_resize, call_resize, end_resize },
	{ "GET_PARAMS", NULL, call_get_params, NULL },
	{ "open of a node", NULL, call_open_node, end_open },
	{ "open of a disk", NULL, call_open_disk, end_open },
	{ "close", begin_close, call_close, NULL },
	{ "REGISTER_FILE", NULL, call_register, end_register },
	{ "UNREGISTER_FILE", begin_unregister, call_unregister, end_unregister },
	{ "MAP", begin_map, call_map, end_map },
	{ "MAP that clears", NULL, call_map_clear, end_map_clear },
	{ "GET_MAP", NULL, call_get_map, NULL },
	{ "EXCHANGE that fetches", begin_fetch, call_fetch, end_fetch },
	{ "EXCHANGE that replies", begin_reply, call_reply, end_reply },
	{ "EXCHANGE that redirects", begin_redirect, call_reply, end_redirect },
	{ "GET_BIO", begin_get, call_get, end_get },
	{ "PUT_BIO", begin_put, call_put, end_put },
	{ "a mapped READ", NULL, call_mapped_read, end_mapped_read },
	{ "poll", NULL, call_poll, NULL },
	{ "SET_POLL", NULL, call_set_poll, NULL },
	{ "attributes", NULL, call_sysfs, NULL },
	{ "fdinfo", NULL, call_fdinfo, NULL },
	{ "GET_FREE", NULL, call_get_free, NULL },
	{ "SET_PARAMS", begin_set_up, call_set_up, end_set_up },
	{ "SET_STATUS", NULL, call_set_status, end_set_up },
	{ "RESET", begin_reset, call_reset, end_reset },
	{ "ADD", begin_add, call_add, end_add },
	{ "ADD with a set-up and a descriptor", begin_add_as, call_add, end_add },
	{ "REMOVE", begin_remove, call_remove, end_remove },
};

static void try(const struct kind *kind)
{
	int devices = count_devices(), ret = -1, failures = test_failures;
	unsigned int n = 1, last = 0, failed = 0, tried = 0;
	bool came = true;
	double begin = now();

	for (; came && n <= MAX_FAULTS && test_failures < failures + 5; n += getenv("FAULTS_ALL") ? 1 : 1 + n / 32) {
		if (kind->begin)
			kind->begin();
		fault_set(n);
		ret = kind->call();
		came = fault_came();
		calls++;
		faults += came;
		tried += came;
		last = came ? n : last;
		failed += ret != 0;
		if (kind->end)
			kind->end(ret);
		if (!wait_for(count_devices() == devices))
			is(count_devices(), devices, "devices");
		if (test_failures > failures)
			printf("# %s: fault %u, the call gave %d\n", kind->name, n, ret);
	}
	ok(!came && !ret, "%s succeeds once nothing fails: %u faults up to the %u., %u calls failed, then %d (%.0f s)",
	   kind->name, tried, last, failed, ret, now() - begin);
}

static int users_of_module(void)
{
	char text[32] = "";
	int fd = open("/sys/module/abuse/refcnt", O_RDONLY | O_CLOEXEC);

	need(fd >= 0 && read(fd, text, sizeof(text) - 1) > 0, "the module's users");
	close(fd);
	return atoi(text);
}

static void prepare(void)
{
	d = device_new_depth(1, 8);
	empty = device_new_depth(1, 4);
	ctl = server_open(&d);
	empty_ctl = server_open(&empty);
	params = params_of(DISK_SIZE);
	params.timeout = FOR_EVER;
	need(!set_params(ctl, &params), "SET_PARAMS");
	/* The 2009 calls have an address space of their own bound, too. */
	other_ctl = server_open(&d);
	store = memory_new(DISK_SIZE);
	data = memory_new(65536);
	buffer = memory_new(RAM_BUFFER);
	file_fd = file_new("/dev/shm", 2 * MIB, 1, O_RDWR);
	file_index = registered(ctl, file_fd);
	begin_map();
	need(!call_map(), "MAP");
	disk_fd = disk_open(&d, O_RDWR | O_DIRECT);
	control_fd = open("/dev/abuse-control", O_RDWR | O_CLOEXEC);
	need(control_fd >= 0, "/dev/abuse-control");
	mlockall(MCL_CURRENT);
}

static void try_loading(void)
{
	char path[256] = "";
	FILE *pipe = popen("modinfo -n abuse", "r");

	need(pipe && fgets(path, sizeof(path), pipe) && !pclose(pipe), "the module's file");
	path[strcspn(path, "\n")] = 0;
	module_fd = open(path, O_RDONLY | O_CLOEXEC);
	/* A compressed one is modprobe's to unpack. */
	if (module_fd < 0 || !strstr(path, ".ko") || strcmp(strstr(path, ".ko"), ".ko"))
		return;
	need(wait_for(!shell("modprobe -r abuse")), "the module to unload");
	try(&loading);
	close(module_fd);
}

int main(void)
{
	const char *only = getenv("FAULTS_ONLY");
	int users;

	test_begin();
	if (!can_inject())
		skip("nothing here lets calls fail: see tests/campaign/checked");
	need(!module_reload("max_abuse=0"), "the module");
	users = users_of_module();
	prepare();
	for (unsigned int i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (!only || !strcmp(only, all[i].name))
			try(&all[i]);
	need(!reset(ctl), "RESET");
	close(disk_fd);
	close(ctl);
	close(other_ctl);
	close(empty_ctl);
	close(control_fd);
	is(device_remove(d.number), 0, "REMOVE");
	is(device_remove(empty.number), 0, "REMOVE");
	ok(wait_for(users_of_module() == users), "the module has %d users, before %d",
	   users_of_module(), users);
	try_loading();
	printf("# %lu calls, %lu faults\n", calls, faults);
	return done();
}
