// SPDX-License-Identifier: GPL-2.0-only
/*
 * The first process of a guest that is to go wrong: has a child do what
 * provoke=lkdtm:CRASHPOINT or provoke=module:NAME on the kernel's command line
 * says, waits a while, and ends the guest.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		perror(path);
	close(fd);
}

static void leaks(void)
{
	const char *path = "/sys/kernel/debug/kmemleak";
	char text[4096];
	ssize_t got;
	int fd;

	/* An object is suspected once it is some seconds old, in the second scan. */
	sleep(8);
	put(path, "scan");
	put(path, "scan");
	fd = open(path, O_RDONLY);
	while ((got = read(fd, text, sizeof(text))) > 0)
		write(1, text, got);
}

static void provoke(const char *what)
{
	char arguments[64];

	if (!strncmp(what, "lkdtm:", 6)) {
		put("/sys/kernel/debug/provoke-crash/DIRECT", what + 6);
	} else if (!strncmp(what, "module:", 7)) {
		snprintf(arguments, sizeof(arguments), "what=%s", what + 7);
		if (syscall(SYS_finit_module, open("/provoke.ko", O_RDONLY),
			    arguments, 0))
			perror("provoke.ko");
	}
}

int main(void)
{
	const char *what = getenv("provoke");
	const char *wait = getenv("wait");

	mount("sysfs", "/sys", "sysfs", 0, NULL);
	mount("debugfs", "/sys/kernel/debug", "debugfs", 0, NULL);
	if (what && !fork()) {
		provoke(what);
		_exit(0);
	}
	/* Ended tasks are freed after a grace period, which others may stall. */
	for (int left = wait ? atoi(wait) : 2; left > 0; left--) {
		pid_t child = fork();

		if (!child)
			_exit(0);
		waitpid(child, NULL, 0);
		sleep(1);
	}
	if (what && strstr(what, "memory-leak"))
		leaks();
	reboot(RB_AUTOBOOT);
}
