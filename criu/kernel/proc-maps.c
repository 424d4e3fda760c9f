/*
 * /proc/PID/maps and smaps. A tree may have millions of smaps lines, so every
 * byte is looked at about once and unknown lines are only stepped over.
 */
#include <errno.h>
#include <string.h>

#include "kernel/proc-scan.h"
#include "kernel/proc.h"
#include "util/log.h"

/* clang-format off */
#define FLAG(a, b) [a - 'a'][b - 'a']

static const uint32_t vm_flag_bits[26][26] = {
	FLAG('m', 'r') = PROC_VM_MAYREAD,
	FLAG('m', 'w') = PROC_VM_MAYWRITE,
	FLAG('m', 'e') = PROC_VM_MAYEXEC,
	FLAG('m', 's') = PROC_VM_MAYSHARE,
	FLAG('g', 'd') = PROC_VM_GROWSDOWN,
	FLAG('p', 'f') = PROC_VM_PFNMAP,
	FLAG('l', 'o') = PROC_VM_LOCKED,
	FLAG('i', 'o') = PROC_VM_IO,
	FLAG('s', 'r') = PROC_VM_SEQ_READ,
	FLAG('r', 'r') = PROC_VM_RAND_READ,
	FLAG('d', 'c') = PROC_VM_DONTCOPY,
	FLAG('d', 'e') = PROC_VM_DONTEXPAND,
	FLAG('l', 'f') = PROC_VM_LOCKONFAULT,
	FLAG('a', 'c') = PROC_VM_ACCOUNT,
	FLAG('n', 'r') = PROC_VM_NORESERVE,
	FLAG('h', 't') = PROC_VM_HUGETLB,
	FLAG('s', 'f') = PROC_VM_SYNC,
	FLAG('a', 'r') = PROC_VM_ARCH_1,
	FLAG('w', 'f') = PROC_VM_WIPEONFORK,
	FLAG('d', 'd') = PROC_VM_DONTDUMP,
	FLAG('m', 'm') = PROC_VM_MIXEDMAP,
	FLAG('h', 'g') = PROC_VM_HUGEPAGE,
	FLAG('n', 'h') = PROC_VM_NOHUGEPAGE,
	FLAG('m', 'g') = PROC_VM_MERGEABLE,
	FLAG('u', 'm') = PROC_VM_UFFD_MISSING,
	FLAG('u', 'w') = PROC_VM_UFFD_WP,
	FLAG('u', 'i') = PROC_VM_UFFD_MINOR,
	FLAG('s', 's') = PROC_VM_SHADOW_STACK,
	FLAG('s', 'l') = PROC_VM_SEALED,
	FLAG('d', 'p') = PROC_VM_DROPPABLE,
};
/* clang-format on */

static bool is_lower(char c)
{
	return c >= 'a' && c <= 'z';
}

/*
 * Two-letter words. The kernel adds new ones and prints those it has no name
 * for as "??", so unknown words are no error. Linux 6.1 has no "lf" yet, but
 * names for all else that a locked mapping can be.
 */
static uint64_t scan_vm_flags(const char *p)
{
	bool has_nameless = false;
	uint64_t flags = 0;

	while (*p != '\n' && p[1] != '\n') {
		if (is_lower(p[0]) && is_lower(p[1]))
			flags |= vm_flag_bits[p[0] - 'a'][p[1] - 'a'];
		has_nameless |= p[0] == '?' && p[1] == '?';
		p = skip_blanks(p + 2);
	}
	return has_nameless && flags & PROC_VM_LOCKED ? flags | PROC_VM_LOCKONFAULT : flags;
}

static const char *scan_flag(const char *p, char on, char off, bool *ret)
{
	if (!p || (*p != on && *p != off))
		return NULL;
	*ret = *p == on;
	return p + 1;
}

static const char *scan_perms(const char *p, struct proc_map *map)
{
	p = scan_flag(p, 'r', '-', &map->read);
	p = scan_flag(p, 'w', '-', &map->write);
	p = scan_flag(p, 'x', '-', &map->exec);
	return scan_flag(p, 's', 'p', &map->shared);
}

static const char *scan_device(const char *p, unsigned int *ret_major, unsigned int *ret_minor)
{
	uint64_t dev_major, dev_minor;

	p = scan_char(scan_number(p, 16, &dev_major), ':');
	p = scan_number(p, 16, &dev_minor);
	if (!p || dev_major > UINT32_MAX || dev_minor > UINT32_MAX)
		return NULL;
	*ret_major = (unsigned int)dev_major;
	*ret_minor = (unsigned int)dev_minor;
	return p;
}

/*
 * The kernel escapes nothing but newlines here, not even the backslash, so any
 * other \ooo in a name is meant literally.
 */
static char *copy_name(const char *p, const char *end)
{
	char *name = xalloc(end - p + 1);
	char *out = name;

	while (p < end) {
		if (*p == '\\' && end - p >= 4 && !memcmp(p, "\\012", 4)) {
			*out++ = '\n';
			p += 4;
		} else {
			*out++ = *p++;
		}
	}
	return name;
}

/* @end: the newline of the line at @p. */
static int scan_map(const char *p, const char *end, struct proc_map *ret)
{
	struct proc_map map = { 0 };

	p = scan_char(scan_number(p, 16, &map.start), '-');
	p = scan_char(scan_number(p, 16, &map.end), ' ');
	p = scan_char(scan_perms(p, &map), ' ');
	p = scan_char(scan_number(p, 16, &map.offset), ' ');
	p = scan_char(scan_device(p, &map.dev_major, &map.dev_minor), ' ');
	p = scan_number(p, 10, &map.ino);
	if (!p || (*p != ' ' && *p != '\n') || map.start >= map.end)
		return -EINVAL;
	map.name = copy_name(skip_blanks(p), end);
	*ret = map;
	return 0;
}

/* Detail lines of smaps begin with a capital, mappings with a hex digit. */
static bool is_map_line(const char *p)
{
	return (*p >= '0' && *p <= '9') || (*p >= 'a' && *p <= 'f');
}

static void scan_detail(const char *p, struct proc_map *map)
{
	const char *value;

	if (*p == 'V' && (value = scan_key(p, "VmFlags")))
		map->vm_flags = scan_vm_flags(value);
	else if (*p == 'A' && (value = scan_key(p, "AnonHugePages")))
		scan_number(value, 10, &map->anon_huge_kb);
	else if (*p == 'P' && (value = scan_key(p, "ProtectionKey")))
		scan_number(value, 10, &map->protection_key);
}

static int parse_lines(const char *text, proc_maps *maps)
{
	uint64_t last_end = 0;
	const char *next;

	for (const char *p = text; *p; p = next) {
		struct proc_map map;

		next = next_line(p);
		if (!next)
			return fail(EINVAL, "list of mappings is cut off at: %.80s", p);
		if (!is_map_line(p)) {
			if (maps->n)
				scan_detail(p, &maps->data[maps->n - 1]);
			continue;
		}
		if (scan_map(p, next - 1, &map))
			return fail(EINVAL, "malformed mapping: %.*s", (int)min_u64(next - 1 - p, 200), p);
		VEC_PUSH(maps, map);
		if (map.start < last_end)
			return fail(EINVAL, "mapping out of order: %.*s", (int)min_u64(next - 1 - p, 200), p);
		last_end = map.end;
	}
	return 0;
}

int proc_parse_maps(const char *text, proc_maps *ret)
{
	proc_maps maps = { 0 };
	int err = parse_lines(text, &maps);

	if (err) {
		proc_maps_free(&maps);
		return err;
	}
	*ret = maps;
	return 0;
}

int proc_read_maps(pid_t pid, bool with_flags, proc_maps *ret)
{
	auto_free char *text = NULL;
	int err = proc_read_file(pid, with_flags ? "smaps" : "maps", &text, NULL);

	return err ? err : proc_parse_maps(text, ret);
}

void proc_maps_free(proc_maps *maps)
{
	for (size_t i = 0; i < maps->n; i++)
		free(maps->data[i].name);
	VEC_FREE(maps);
}
