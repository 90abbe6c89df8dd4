/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * A process gets a signal, and its end is waited for, on a kernel that has pidfd_open() and on one that has not: not
 * while one of its threads lives, and also if its parent has not waited for it. A process that is gone is not found.
 */
#include "test.h"

#include "../../utils/abusectl/process.c"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define A_MOMENT	100	/* milliseconds */

static void *second_thread(void *arg)
{
	(void)arg;
	for (;;)
		pause();
	return NULL;
}

/* A child that ends on SIGTERM. On SIGUSR1 its first thread alone ends. */
static pid_t child(void)
{
	pid_t pid = fork();
	pthread_t thread;
	sigset_t usr1;
	int sig;

	if (pid < 0)
		fail("fork");
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	sigprocmask(SIG_BLOCK, &usr1, NULL);
	if (pthread_create(&thread, NULL, second_thread, NULL))
		_exit(1);
	sigwait(&usr1, &sig);
	pthread_exit(NULL);
}

static void a_process_ends(const char *kernel, bool has_pidfd)
{
	pid_t pid = child();
	int fd = process_open(pid), status;

	must(fd >= 0, "%s: a process is found", kernel);
	ok(is_directory(fd) == !has_pidfd, "%s: by %s", kernel, has_pidfd ? "a pidfd" : "its directory");
	ok(fcntl(fd, F_GETFD) == FD_CLOEXEC, "%s: programs do not inherit the descriptor", kernel);
	ok(!process_await_end(fd, 0), "%s: it lives", kernel);
	ok(!process_await_end(fd, A_MOMENT), "%s: a moment later, too", kernel);
	ok(!process_signal(fd, 0), "%s: it can be signalled", kernel);
	if (!has_pidfd) {	/* a pidfd of a first thread that has ended depends on the kernel */
		process_signal(fd, SIGUSR1);
		ok(!process_await_end(fd, A_MOMENT), "%s: its second thread lives", kernel);
	}
	ok(!process_signal(fd, SIGTERM), "%s: it gets the signal", kernel);
	ok(process_await_end(fd, (int)stretched(20) * 1000), "%s: it has ended, and nobody has waited for it", kernel);
	ok(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM,
	   "%s: by the signal", kernel);
	ok(process_await_end(fd, -1), "%s: it is gone", kernel);
	fails_with(process_signal(fd, SIGTERM), ESRCH);
	close(fd);
	fails_with(process_open(pid), ESRCH);
}

/* From here on the call fails as an unknown one. */
static void lose_pidfd_open(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_pidfd_open, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { .len = sizeof(filter) / sizeof(*filter), .filter = filter };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
		skip("this kernel filters no system calls");
}

int main(void)
{
	int fd = (int)syscall(SYS_pidfd_open, getpid(), 0);

	if (fd >= 0) {
		close(fd);
		a_process_ends("a new kernel", true);
	}
	lose_pidfd_open();
	a_process_ends("an old kernel", false);
	return done();
}
