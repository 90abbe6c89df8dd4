/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * MAP refuses what is wrong, each with its error, and then changes nothing; what it
 * takes replaces, splits and joins ranges as an array of sectors would, and GET_MAP tells it.
 */
#include <sys/resource.h>

#include "map.h"

#define SECTORS	2048		/* of the disk and of each file */
#define SIZE	(SECTORS * 512)

static struct device dev;
static int ctl, files[3];

/* The map of each sector: file + 1, rights, where. */
struct sector { unsigned int file, rights; uint64_t at; };
static struct sector model[SECTORS];

static void model_apply(const struct abuse_map_entry *e)
{
	for (uint64_t i = 0; i < e->sectors; i++) {
		struct sector *s = &model[e->sector + i];

		if (e->flags & ABUSE_MAP_CLEAR) {
			s->rights &= ~e->rights;
			if (!s->rights)
				*s = (struct sector) { };
		} else {
			*s = (struct sector) { e->file + 1, e->rights, e->offset / 512 + i };
		}
	}
}

static bool joins(const struct sector *a, const struct sector *b)
{
	return a->file == b->file && a->rights == b->rights && a->at + 1 == b->at;
}

/* Whether the map is the model, in as few extents as can be. */
static bool map_is_model(void)
{
	struct abuse_map_entry got[7];
	uint64_t at = 0;
	int n, i;

	for (;;) {
		n = map_get(ctl, at, got, 7);
		if (n < 0)
			return false;
		for (i = 0; i < n; i++) {
			struct abuse_map_entry *e = &got[i];
			uint64_t end = e->sector + e->sectors, s;

			for (; at < e->sector; at++)
				if (model[at].file)
					return false;
			for (s = e->sector; s < end; s++)
				if (model[s].file != e->file + 1 || model[s].rights != e->rights ||
				    model[s].at != e->offset / 512 + s - e->sector)
					return false;
			if (end < SECTORS && model[end].file && joins(&model[end - 1], &model[end]))
				return false;
			at = end;
		}
		if (n < 7)
			break;
	}
	for (; at < SECTORS; at++)
		if (model[at].file)
			return false;
	return true;
}

static struct abuse_map_entry random_entry(uint64_t from, uint64_t to)
{
	uint64_t sector = from + rand() % (to - from), sectors = 1 + rand() % (to - sector);
	uint32_t rights = 1 + rand() % 7;

	if (!(rand() % 3))
		return entry_clear(sector, sectors, rights);
	/* Often such that it goes on where a neighbour ends. */
	return entry(sector, sectors, rand() % 2, rand() % 2 ? sector * 512 :
		     rand() % (SECTORS - sectors + 1) * 512, rand() % 2 ? MAP_ALL : rights);
}

static void like_an_array(void)
{
	for (int round = 0; round < 300; round++) {
		struct abuse_map_entry e[4];
		unsigned int n = 1 + rand() % 4;

		for (unsigned int i = 0; i < n; i++) {
			e[i] = random_entry(i * SECTORS / n, (i + 1) * SECTORS / n);
			model_apply(&e[i]);
		}
		/* The order of entries does not matter. */
		if (n > 1 && rand() % 2) {
			struct abuse_map_entry first = e[0];

			e[0] = e[n - 1];
			e[n - 1] = first;
		}
		if (map_entries(ctl, e, n) || !map_is_model()) {
			ok(false, "round %d: the map is what an array would have", round);
			return;
		}
	}
	ok(true, "300 calls leave what an array of sectors would have");
}

/* With a good entry before it: neither counts. */
static void refused(struct abuse_map_entry bad, int error, const char *what)
{
	struct abuse_map_entry e[2] = { entry(0, 8, files[2], 0, MAP_R), bad };

	is(map_entries(ctl, e, 2), -error, what);
	if (!map_is_model())
		ok(false, "%s: the map is as it was", what);
}

static void wrong_entries(void)
{
	struct abuse_map_entry e = entry(16, 8, files[0], 0, MAP_R);
	struct rlimit limit = { 4096, RLIM_INFINITY };
	struct abuse_map map;
	char longer[80] = { };
	int fd;

	refused(entry(4, 8, files[0], 0, MAP_R), EINVAL, "an entry that overlaps another");
	refused(entry_clear(7, 1, MAP_R), EINVAL, "and one that clears");
	refused(entry(SECTORS - 8, 9, files[0], 0, MAP_R), EINVAL, "beyond the disk");
	refused(entry(SECTORS, 8, files[0], 0, MAP_R), EINVAL, "behind the disk");
	refused(entry(16, ~0ULL, files[0], 0, MAP_R), EINVAL, "more than there can be");
	refused(entry(16, 8, files[0], SIZE - 4095, MAP_R), EINVAL, "an offset within a sector");
	refused(entry(16, 8, files[0], SIZE - 3584, MAP_R), EINVAL, "beyond the file");
	refused(entry(16, 8, files[0], ~511ULL, MAP_R), EINVAL, "far beyond the file");
	refused(entry(16, 0, files[0], 0, MAP_R), EINVAL, "no sectors");
	refused(entry(16, 8, files[0], 0, 0), EINVAL, "no rights");
	refused(entry(16, 8, files[0], 0, 8), EINVAL, "an unknown right");
	refused(entry(16, 8, 200, 0, MAP_R), ENOENT, "no such file");
	refused(entry(16, 8, files[2], 0, MAP_W), EINVAL, "WRITE to a file opened to be read");
	refused(entry(16, 8, files[2], 0, MAP_S), EINVAL, "SHAPE of such a file");
	e.flags = 2;
	refused(e, EINVAL, "an unknown flag");
	e.flags = 0;
	e.reserved = 1;
	refused(e, EINVAL, "reserved");
	e = entry_clear(16, 8, MAP_R);
	e.file = 1;
	refused(e, EINVAL, "a file to be cleared");

	fd = file_new("/dev/shm", SIZE, 1, O_WRONLY);
	refused(entry(16, 8, registered(ctl, fd), 0, MAP_R), EINVAL, "READ of a file opened to be written");
	close(fd);
	need(!setrlimit(RLIMIT_FSIZE, &limit), "a limit");
	refused(entry(16, 8, files[0], 4096, MAP_W), EINVAL, "WRITE beyond RLIMIT_FSIZE");
	limit.rlim_cur = RLIM_INFINITY;
	need(!setrlimit(RLIMIT_FSIZE, &limit), "none");

	e = entry(16, 8, files[0], 0, MAP_R);
	map = map_of(&e, 0);
	is(call(ctl, ABUSE_MAP, &map), -EINVAL, "no entries");
	map.nr = 513;
	is(call(ctl, ABUSE_MAP, &map), -EINVAL, "513 entries");
	map = map_of(&e, 1);
	map.flags = 1;
	is(call(ctl, ABUSE_MAP, &map), -EINVAL, "a flag");
	map = map_of(&e, 1);
	map.entry_size = 48;
	is(call(ctl, ABUSE_MAP, &map), -EINVAL, "smaller entries");
	map.size = 8;
	is(call(ctl, ABUSE_MAP, &map), -EINVAL, "a smaller struct");
	map = map_of((void *)longer, 1);
	map.entry_size = sizeof(longer);
	memcpy(longer, &e, sizeof(e));
	longer[79] = 1;
	is(call(ctl, ABUSE_MAP, &map), -E2BIG, "larger entries that ask for something");
	map = map_of(NULL, 1);
	is(call(ctl, ABUSE_MAP, &map), -EFAULT, "a bad address");
	ok(map_is_model(), "the map is as it was");
	longer[79] = 0;
	map = map_of((void *)longer, 1);
	map.entry_size = sizeof(longer);
	is(call(ctl, ABUSE_MAP, &map), 0, "larger entries that do not");
}

static void neither_up_nor_mine(void)
{
	struct device users;
	struct abuse_add add = {
		.size = sizeof(add), .number = ABUSE_NUMBER_ANY, .flags = ABUSE_ADD_OWNER,
		.owner = 65534,
	};
	struct abuse_map_entry got;
	struct abuse_request request;
	int server, fd = file_new("/dev/shm", SIZE, 1, O_RDWR);

	need(!device_add(&add), "a user's device");
	users = device_of(add.number);
	need(wait_for(!access(users.node, F_OK)), "its node");
	set_up(&users, SIZE, 0);
	server = server_open(&users);
	is(map_one(server, entry(0, 8, registered(server, fd), 0, MAP_R)), -EPERM, "a user's device");
	is(map_get(server, 0, &got, 1), 0, "has no ranges");
	close(server);
	close(fd);

	is(reset(ctl), 0, "RESET");
	is(map_one(ctl, entry(0, 8, files[0], 0, MAP_R)), -ENXIO, "a device that is not up");
	is(map_get(ctl, 0, &got, 1), -ENXIO, "has no ranges");
	set_up(&dev, SIZE, 0);
	is(map_get(ctl, 0, &got, 1), 0, "a new set-up has none");
	is(attribute_number(&dev, "map_extents"), 0, "and says so");
	memset(model, 0, sizeof(model));
	/* Bound to a set-up by its first exchange. */
	server = server_open(&dev);
	need(fetch(server, &request, 1, NULL, 0, NO_WAIT) == 0, "an exchange");
	registered(server, file_new("/dev/shm", SIZE, 1, O_RDWR));
	need(!reset(ctl), "RESET");
	set_up(&dev, SIZE, 0);
	is(map_one(server, entry(0, 8, 0, 0, MAP_R)), -ENXIO, "whose server was a former one's");
	close(server);
}

int main(void)
{
	test_begin();
	dev = device_new();
	set_up(&dev, SIZE, 0);
	ctl = server_open(&dev);
	files[0] = registered(ctl, file_new("/dev/shm", SIZE, 1, O_RDWR));
	files[1] = registered(ctl, file_new("/dev/shm", SIZE, 2, O_RDWR));
	files[2] = registered(ctl, file_new("/dev/shm", SIZE, 3, O_RDONLY));
	srand(16);
	like_an_array();
	wrong_entries();
	neither_up_nor_mine();
	close(ctl);
	return done();
}
