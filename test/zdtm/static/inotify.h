#ifndef ZDTM_INOTIFY_H
#define ZDTM_INOTIFY_H

/* Include zdtmtst.h first. */

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

/* A change of the file: IN_MODIFY. */
static inline int modify(const char *path)
{
	int fd = open(path, O_WRONLY);

	return fd < 0 || write(fd, "x", 1) != 1 || close(fd);
}

/* Makes @dir with the file @file in it. Returns the non-blocking instance that watches the file for IN_MODIFY, -1. */
static inline int watch_new_file(const char *dir, const char *file, int *wd)
{
	int out, fd = inotify_init1(IN_NONBLOCK);

	if (fd < 0 || mkdir(dir, 0755))
		return -1;
	out = open(file, O_CREAT | O_EXCL | O_WRONLY, 0600);
	*wd = inotify_add_watch(fd, file, IN_MODIFY);
	return out < 0 || close(out) || *wd < 0 ? -1 : fd;
}

/* The next event of a non-blocking instance is this one: 0. @name: "" for none. */
static inline int next_event(int fd, int wd, uint32_t mask, const char *name)
{
	static char buf[65536] __attribute__((aligned(8)));
	static ssize_t at, end;
	struct inotify_event *event;

	if (at == end) {
		at = 0;
		end = read(fd, buf, sizeof(buf));
		if (end <= 0) {
			end = 0;
			pr_perror("no event, instead of %#x on watch %d", mask, wd);
			return 1;
		}
	}
	event = (struct inotify_event *)(buf + at);
	at += sizeof(*event) + event->len;
	if (event->wd == wd && event->mask == mask && !strcmp(event->len ? event->name : "", name))
		return 0;
	pr_err("watch %d told %#x of '%s', not %#x of '%s' on %d\n", event->wd, event->mask,
	       event->len ? event->name : "", mask, name, wd);
	return 1;
}

/* Nothing is left to read. */
static inline int no_event(int fd)
{
	char buf[sizeof(struct inotify_event) + NAME_MAX + 1] __attribute__((aligned(8)));
	struct inotify_event *event = (struct inotify_event *)buf;

	if (read(fd, buf, sizeof(buf)) == -1 && errno == EAGAIN)
		return 0;
	pr_err("watch %d told %#x of '%s'\n", event->wd, event->mask, event->len ? event->name : "");
	return 1;
}

#endif
