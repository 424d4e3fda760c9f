/* /proc/PID/mountinfo, proc_pid_mountinfo(5). */
#include <errno.h>
#include <string.h>

#include "kernel/proc-scan.h"
#include "kernel/proc.h"
#include "util/log.h"

static const char *word_end(const char *p)
{
	while (*p && *p != ' ' && *p != '\n')
		p++;
	return p;
}

/* One word that ends in a blank; it may be empty, as a nameless source is. */
static const char *scan_word(const char *p, char **ret)
{
	const char *end;

	if (!p)
		return NULL;
	end = word_end(p);
	if (*end != ' ')
		return NULL;
	*ret = unescape(p, end);
	return end + 1;
}

/* The optional fields (propagation) end with a single dash. */
static const char *skip_optional(const char *p)
{
	while (p && strncmp(p, "- ", 2)) {
		p = word_end(p);
		p = scan_char(p, ' ');
	}
	return p ? p + 2 : NULL;
}

static const char *scan_ids(const char *p, struct proc_mount *mount)
{
	uint64_t dev_major, dev_minor;

	p = scan_char(scan_int(p, &mount->mnt_id), ' ');
	p = p ? scan_char(scan_int(p, &mount->parent_id), ' ') : NULL;
	p = scan_char(scan_number(p, 10, &dev_major), ':');
	p = scan_char(scan_number(p, 10, &dev_minor), ' ');
	if (!p || dev_major > UINT32_MAX || dev_minor > UINT32_MAX)
		return NULL;
	mount->dev_major = (unsigned int)dev_major;
	mount->dev_minor = (unsigned int)dev_minor;
	return p;
}

static int scan_mount(const char *p, const char *end, struct proc_mount *mount)
{
	p = scan_ids(p, mount);
	p = scan_word(p, &mount->root);
	p = scan_word(p, &mount->mountpoint);
	p = scan_word(p, &mount->options);
	p = skip_optional(p);
	p = scan_word(p, &mount->fstype);
	p = scan_word(p, &mount->source);
	if (!p || p > end)
		return -EINVAL;
	mount->super_options = unescape(p, end);
	return 0;
}

int proc_parse_mounts(const char *text, proc_mounts *ret)
{
	proc_mounts mounts = { 0 };
	const char *next;

	for (const char *p = text; *p; p = next) {
		next = next_line(p);
		if (!next || scan_mount(p, next - 1, VEC_ADD(&mounts))) {
			proc_mounts_free(&mounts);
			return fail(EINVAL, "malformed mountinfo at: %.200s", p);
		}
	}
	*ret = mounts;
	return 0;
}

int proc_read_mounts(pid_t pid, proc_mounts *ret)
{
	auto_free char *text = NULL;
	int err = proc_read_file(pid, "mountinfo", &text, NULL);

	return err ? err : proc_parse_mounts(text, ret);
}

void proc_mounts_free(proc_mounts *mounts)
{
	for (size_t i = 0; i < mounts->n; i++) {
		struct proc_mount *mount = &mounts->data[i];

		free(mount->root);
		free(mount->mountpoint);
		free(mount->fstype);
		free(mount->source);
		free(mount->options);
		free(mount->super_options);
	}
	VEC_FREE(mounts);
}
