// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (C) 2026 the abuse authors
/*
 * An NBD server of our own; see child.h. It is started while this process has one thread
 * and perhaps the rights of another user. It gets a signal when this process ends, and
 * has a lock on the control node: until it has ended, too, no other server of the device
 * starts another one.
 *
 * At shutdown the processes of a session or a unit get SIGTERM and SIGHUP, perhaps long before
 * the disk is unmounted. abusectl then serves on if the disk is in use, and so must this process.
 * It has these signals blocked and ends by SIGINT, on which nbdkit and qemu-nbd end as on SIGTERM.
 */
#include "child.h"
#include "cmd.h"
#include "join.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define END_SIGNAL	SIGINT
#define SOCKET_FD	3		/* where sd_listen_fds(3) has it */
#define LOCK_FD		4
#define ALONE_BYTE	((off_t)1 << 62)	/* of the control node */
#define TRIES		100
#define NAP		50000000	/* nanoseconds */
#define END_TRIES	200
#define MOMENT		8
#define MARKED_NAME	32
#define RELAY_STACK	(64 * 1024)

/* ---- the socket and the lock ---- */

static int bind_in(const char *base, struct nbd_child *child)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	char dir[64];
	int fd;

	snprintf(dir, sizeof(dir), "%s/abusectl-XXXXXX", base);
	if (!mkdtemp(dir))
		return -errno;
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/nbd", dir);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && (bind(fd, (struct sockaddr *)&address, sizeof(address)) ||
			listen(fd, SOMAXCONN))) {
		close(fd);
		fd = -1;
	}
	/* The descriptor is a name that goes with this process. */
	child->socket = fd < 0 ? -1 : open(address.sun_path, O_PATH | O_CLOEXEC);
	unlink(address.sun_path);
	rmdir(dir);
	if (fd >= 0 && child->socket >= 0)
		return fd;
	if (fd >= 0)
		close(fd);
	return -EIO;
}

static int listen_privately(struct nbd_child *child)
{
	int fd = bind_in("/tmp", child);

	if (fd < 0)
		fd = bind_in("/dev/shm", child);
	snprintf(child->uri, sizeof(child->uri), "nbd+unix:///?socket=/proc/self/fd/%d",
		 child->socket);
	return fd;
}

/* A descriptor with the lock, -1 after reporting. */
static int lock_node(const struct nbd_child *child, const struct target *target)
{
	static const struct timespec nap = { .tv_nsec = NAP };
	struct flock flock = {
		.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = ALONE_BYTE, .l_len = 1,
	};
	int fd = store_file_again(target->fd, O_RDWR), i;

	for (i = 0; fd >= 0 && i < TRIES; i++) {
		if (!fcntl(fd, F_OFD_SETLK, &flock))
			return fd;
		nanosleep(&nap, NULL);
	}
	if (fd < 0)
		return failed(device_name(target->number), "its control node cannot be opened "
			      "again: %s", strerror(errno)), -1;
	close(fd);
	return failed(device_name(target->number), "has a server with %s of its own already, "
		      "and a second would have other bytes; 'abusectl stop %u' ends it",
		      child->program, target->number), -1;
}

/* ---- the process ---- */

static void place(int fd, int to)
{
	if (fd == to)
		fcntl(fd, F_SETFD, 0);
	else
		dup2(fd, to);
}

/* In the child: signals and descriptors become those that a new process expects. */
static void prepare(int fds[4])
{
	static const struct rlimit none;
	sigset_t blocked;
	char pid[16];
	int i;

	/* So high that they are not written over, then where they belong */
	for (i = 0; i < 4; i++)
		fds[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 64);
	place(fds[0], STDIN_FILENO);
	place(fds[0], STDOUT_FILENO);
	place(fds[1], STDERR_FILENO);
	place(fds[2], SOCKET_FD);
	place(fds[3], LOCK_FD);
	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	setenv("LISTEN_PID", pid, 1);
	setenv("LISTEN_FDS", "1", 1);
	unsetenv("LISTEN_FDNAMES");
	unsetenv("NOTIFY_SOCKET");
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGTERM);
	sigaddset(&blocked, SIGHUP);
	sigprocmask(SIG_SETMASK, &blocked, NULL);
	signal(SIGINT, SIG_DFL);
	signal(SIGPIPE, SIG_DFL);
	/* No ^C of a terminal reaches it. */
	setsid();
	/* A core would be written while requests wait, perhaps to the disk that is served. */
	setrlimit(RLIMIT_CORE, &none);
}

static int become_for_good(void)
{
	uid_t uid = geteuid();
	gid_t gid = getegid();

	return (getgid() != gid && setresgid(gid, gid, gid)) ||
	       (getuid() != uid && setresuid(uid, uid, uid)) ? -1 : 0;
}

/*
 * Spared by the last kill of a shutdown, as its server is: see leave_mark(). It says what is behind
 * the last slash when it names itself.
 */
static void mark(char **argv, char name[MARKED_NAME])
{
	snprintf(name, MARKED_NAME, "@/%s", argv[0]);
	argv[0] = name;
}

static void run(char **argv, int fds[4], pid_t parent, int failure)
{
	const char *program = argv[0];
	char name[MARKED_NAME];
	int err = 0;

	prepare(fds);
	mark(argv, name);
	/* Rights that change take back what signal is wanted. */
	if (become_for_good() || chdir("/") || prctl(PR_SET_PDEATHSIG, END_SIGNAL, 0, 0, 0))
		err = errno;
	if (!err && getppid() == parent)
		execvp(program, argv);
	err = err ? err : errno;
	err = write(failure, &err, sizeof(err)) == sizeof(err);
	_exit(127);
}

static void *relay(void *arg)
{
	const struct nbd_child *child = arg;
	char text[1024];
	ssize_t nr, ret;

	while ((nr = read(child->said, text, sizeof(text))) > 0 || (nr < 0 && errno == EINTR))
		if (nr > 0) {
			ret = write(STDERR_FILENO, text, (size_t)nr);
			(void)ret;	/* nobody may be reading it any more */
		}
	return NULL;
}

/* Signals are the attendant's, and the stack may count as locked memory. */
static void start_relay(struct nbd_child *child)
{
	pthread_attr_t attr;
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, RELAY_STACK);
	child->has_relay = !pthread_create(&child->relay, &attr, relay, child);
	pthread_attr_destroy(&attr);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* The errno of its exec(), or 0 */
static int exec_error(int failure)
{
	int err = 0;

	while (read(failure, &err, sizeof(err)) < 0 && errno == EINTR)
		;
	return err;
}

static int spawn(struct nbd_child *child, char **argv, int socket, int lock)
{
	int said[2] = { -1, -1 }, failure[2] = { -1, -1 }, err = 0;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	pid_t parent = getpid();

	if (null < 0 || pipe2(said, O_CLOEXEC) || pipe2(failure, O_CLOEXEC))
		err = errno;
	child->pid = err ? -1 : fork();
	if (!child->pid)
		run(argv, (int[]){ null, said[1], socket, lock }, parent, failure[1]);
	if (child->pid < 0 && !err)
		err = errno;
	close(null);
	close(said[1]);
	close(failure[1]);
	child->said = said[0];
	if (!err)
		err = exec_error(failure[0]);
	close(failure[0]);
	if (err && child->pid > 0)
		waitpid(child->pid, NULL, 0);
	if (!err) {
		start_relay(child);
		return EXIT_OK;
	}
	close(child->said);
	if (err == ENOENT)
		return failed(child->program, "is not installed, or not in PATH; the package "
			      "%s has it", strcmp(child->program, "nbdkit") ? "qemu-utils (qemu-img)"
									    : "nbdkit");
	return failed(child->program, "cannot be started: %s", strerror(err));
}

int nbd_child_start(struct nbd_child *child, const struct target *target, char **argv)
{
	int socket, lock, ret;

	*child = (struct nbd_child) { .program = argv[0], .pid = -1, .socket = -1, .said = -1 };
	fflush(NULL);
	lock = lock_node(child, target);
	if (lock < 0)
		return EXIT_FAILED;
	socket = listen_privately(child);
	ret = socket < 0 ? failed(child->program, "a socket for it cannot be made in /tmp: %s",
				  strerror(-socket)) : spawn(child, argv, socket, lock);
	close(lock);
	if (socket >= 0)
		close(socket);
	if (ret && child->socket >= 0)
		close(child->socket);
	return ret;
}

static bool is_over(struct nbd_child *child)
{
	static pthread_mutex_t reaping = PTHREAD_MUTEX_INITIALIZER;
	pid_t ret = 0;
	bool over;

	pthread_mutex_lock(&reaping);
	while (!child->is_over) {
		ret = waitpid(child->pid, &child->status, WNOHANG);
		if (ret >= 0 || errno != EINTR)
			break;
	}
	child->is_over |= ret != 0;
	over = child->is_over;
	pthread_mutex_unlock(&reaping);
	return over;
}

static bool await_end(struct nbd_child *child, int tries)
{
	static const struct timespec nap = { .tv_nsec = NAP };

	bool over;

	while (!(over = is_over(child)) && tries--)
		nanosleep(&nap, NULL);
	return over;
}

bool nbd_child_is_over(struct nbd_child *child)
{
	return await_end(child, MOMENT);
}

const char *nbd_child_fate(const struct nbd_child *child, char text[64])
{
	if (WIFSIGNALED(child->status))
		snprintf(text, 64, "was ended by signal %d", WTERMSIG(child->status));
	else
		snprintf(text, 64, "ended with status %d", WEXITSTATUS(child->status));
	return text;
}

void nbd_child_end(struct nbd_child *child)
{
	struct timespec until;

	if (!is_over(child))
		kill(child->pid, END_SIGNAL);
	if (!await_end(child, END_TRIES))
		note(child->program, "takes its time to end, pid %d", (int)child->pid);
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec++;
	/* A process that it started may still have its standard error open. */
	if (child->has_relay && !join_by(child->relay, &until)) {
		pthread_cancel(child->relay);
		pthread_join(child->relay, NULL);
	}
	close(child->said);
	close(child->socket);
}
