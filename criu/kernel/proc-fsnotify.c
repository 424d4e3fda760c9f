/* fdinfo of inotify instances and fanotify groups. */
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "kernel/proc-scan.h"
#include "kernel/proc.h"
#include "util/log.h"

/* "key:value", in hexadecimal like all of the line; NULL is passed on. */
static const char *scan_field(const char *p, const char *key, uint64_t max, uint64_t *ret)
{
	const char *value = p ? scan_key(skip_blanks(p), key) : NULL;

	value = value ? scan_number(value, 16, ret) : NULL;
	return value && *ret <= max ? value : NULL;
}

static const char *scan_handle(const char *p, struct proc_watch *watch)
{
	uint64_t bytes, type;

	p = scan_field(p, "fhandle-bytes", sizeof(watch->handle), &bytes);
	p = scan_field(p, "fhandle-type", INT_MAX, &type);
	p = p ? scan_key(skip_blanks(p), "f_handle") : NULL;
	for (size_t i = 0; p && i < bytes; i++) {
		const char digits[3] = { p[0], p[0] ? p[1] : '\0', '\0' };
		uint64_t byte;
		const char *end = scan_number(digits, 16, &byte);

		p = end == digits + 2 ? p + 2 : NULL;
		watch->handle[i] = (unsigned char)byte;
	}
	if (!p)
		return NULL;
	watch->handle_bytes = (unsigned int)bytes;
	watch->handle_type = (int)type;
	return p;
}

/* "inotify wd:1 ino:a94f9b sdev:fe00000 mask:fff ignored_mask:0 fhandle-bytes:8 fhandle-type:1 f_handle:9b4f..." */
static int scan_watch(const char *p, struct proc_watch *watch)
{
	uint64_t wd, dev, mask, ignored;

	p = scan_field(p, "wd", INT_MAX, &wd);
	p = scan_field(p, "ino", UINT64_MAX, &watch->ino);
	p = scan_field(p, "sdev", UINT32_MAX, &dev);
	p = scan_field(p, "mask", UINT32_MAX, &mask);
	p = scan_field(p, "ignored_mask", UINT32_MAX, &ignored);
	if (p && *skip_blanks(p) != '\n')
		p = scan_handle(p, watch);
	if (!p || *skip_blanks(p) != '\n' || !wd)
		return -EINVAL;
	watch->wd = (int)wd;
	watch->dev = (uint32_t)dev;
	watch->mask = (uint32_t)mask;
	watch->ignored_mask = (uint32_t)ignored;
	return 0;
}

int proc_parse_watches(const char *text, proc_watches *ret)
{
	static const char key[] = "inotify ";
	proc_watches watches = { 0 };

	for (const char *p = text; p && *p; p = next_line(p)) {
		struct proc_watch watch = { 0 };

		if (strncmp(p, key, sizeof(key) - 1))
			continue;
		if (scan_watch(p + sizeof(key) - 1, &watch)) {
			VEC_FREE(&watches);
			return fail(EINVAL, "malformed fdinfo of an inotify instance at: %.160s", p);
		}
		VEC_PUSH(&watches, watch);
	}
	*ret = watches;
	return 0;
}

/* --- fanotify ----------------------------------------------------------------------- */

static const char *scan_masks(const char *p, struct proc_mark *mark)
{
	uint64_t mflags, mask, ignored;

	p = scan_field(p, "mflags", UINT32_MAX, &mflags);
	p = scan_field(p, "mask", UINT32_MAX, &mask);
	p = scan_field(p, "ignored_mask", UINT32_MAX, &ignored);
	if (!p)
		return NULL;
	mark->mflags = (uint32_t)mflags;
	mark->watch.mask = (uint32_t)mask;
	mark->watch.ignored_mask = (uint32_t)ignored;
	return p;
}

/*
 * "ino:a sdev:fe00000 mflags:0 mask:2 ignored_mask:0 fhandle-bytes:8 fhandle-type:1 f_handle:0a00..." of an inode,
 * "mnt_id:1e mflags:..." of a mount, "sdev:1b mflags:..." of a file system.
 */
static int scan_mark(const char *p, struct proc_mark *mark)
{
	uint64_t dev = 0, mnt_id = 0;
	const char *q;

	if ((q = scan_field(p, "ino", UINT64_MAX, &mark->watch.ino))) {
		mark->kind = PROC_MARK_INODE;
		q = scan_masks(scan_field(q, "sdev", UINT32_MAX, &dev), mark);
		if (q && *skip_blanks(q) != '\n')
			q = scan_handle(q, &mark->watch);
	} else if ((q = scan_field(p, "mnt_id", INT_MAX, &mnt_id))) {
		mark->kind = PROC_MARK_MOUNT;
		q = scan_masks(q, mark);
	} else if ((q = scan_field(p, "sdev", UINT32_MAX, &dev))) {
		mark->kind = PROC_MARK_FILESYSTEM;
		q = scan_masks(q, mark);
	} else {
		mark->kind = PROC_MARK_OTHER;
		return 0;
	}
	mark->watch.dev = (uint32_t)dev;
	mark->mnt_id = (int)mnt_id;
	return q && *skip_blanks(q) == '\n' ? 0 : -EINVAL;
}

static int scan_fanotify_line(const char *p, struct proc_fanotify *fanotify)
{
	uint64_t flags, event_flags;
	const char *q = scan_field(p, "flags", UINT32_MAX, &flags);

	if (!q)
		return scan_mark(p, VEC_ADD(&fanotify->marks));
	q = scan_field(q, "event-flags", UINT32_MAX, &event_flags);
	if (!q || *q != '\n' || fanotify->found)
		return -EINVAL;
	fanotify->found = true;
	fanotify->flags = (uint32_t)flags;
	fanotify->event_flags = (uint32_t)event_flags;
	return 0;
}

int proc_parse_fanotify(const char *text, struct proc_fanotify *ret)
{
	static const char key[] = "fanotify ";
	struct proc_fanotify fanotify = { 0 };

	for (const char *p = text; p && *p; p = next_line(p)) {
		if (strncmp(p, key, sizeof(key) - 1))
			continue;
		if (scan_fanotify_line(p + sizeof(key) - 1, &fanotify)) {
			VEC_FREE(&fanotify.marks);
			return fail(EINVAL, "malformed fdinfo of a fanotify group at: %.160s", p);
		}
	}
	if (!fanotify.found) {
		VEC_FREE(&fanotify.marks);
		return fail(EINVAL, "fdinfo of a fanotify group without its flags");
	}
	*ret = fanotify;
	return 0;
}
