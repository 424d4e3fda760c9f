#ifndef ZDTM_MEMPROP_H
#define ZDTM_MEMPROP_H

/*
 * What /proc says about the caller's own memory, and content patterns that
 * can be checked page by page. Include zdtmtst.h first.
 */

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#define PG 4096UL

/* One line of /proc/PID/maps. */
struct map_line {
	unsigned long start;
	unsigned long end;
	unsigned long pgoff;
	unsigned long ino;
	unsigned int dev_major;
	unsigned int dev_minor;
	char perms[5];
	char path[4096];
};

/* Parses the text of one maps line; 0 or -1 when it is none. */
static inline int map_line_parse(const char *text, struct map_line *ret)
{
	int path_at = -1;

	if (sscanf(text, "%lx-%lx %4s %lx %x:%x %lu %n", &ret->start, &ret->end, ret->perms, &ret->pgoff,
		   &ret->dev_major, &ret->dev_minor, &ret->ino, &path_at) != 7 ||
	    path_at < 0)
		return -1;
	snprintf(ret->path, sizeof(ret->path), "%s", text + path_at);
	ret->path[strcspn(ret->path, "\n")] = '\0';
	return 0;
}

/* Finds the caller's mapping that holds addr; 0, or -1 when there is none. */
static inline int map_find(const void *addr, struct map_line *ret)
{
	unsigned long at = (unsigned long)addr;
	static char text[8192];
	int found = 0;
	FILE *maps;

	maps = fopen("/proc/self/maps", "r");
	if (!maps) {
		pr_perror("open maps");
		return -1;
	}
	while (!found && fgets(text, sizeof(text), maps))
		found = !map_line_parse(text, ret) && ret->start <= at && at < ret->end;
	fclose(maps);
	return found ? 0 : -1;
}

/* The caller's mapping that is named so ("[vdso]"); 0, or -1 when there is none. */
static inline int map_find_named(const char *name, struct map_line *ret)
{
	static char text[8192];
	int found = 0;
	FILE *maps;

	maps = fopen("/proc/self/maps", "r");
	if (!maps) {
		pr_perror("open maps");
		return -1;
	}
	while (!found && fgets(text, sizeof(text), maps))
		found = !map_line_parse(text, ret) && !strcmp(ret->path, name);
	fclose(maps);
	return found ? 0 : -1;
}

enum map_text_mode {
	MAP_TEXT_PATHS,	 /* for objects whose inode number may change */
	MAP_TEXT_INODES, /* for files that stay what they are: device and inode as well */
};

/*
 * Writes the maps lines of [start, start + len) into buf, cut to that range.
 * Neighbours that differ in nothing are joined, because whether the kernel
 * keeps them apart depends on their history. Returns 0 or -1.
 */
static inline int map_text(const void *start, size_t len, enum map_text_mode mode, char *buf, size_t size)
{
	unsigned long from = (unsigned long)start, to = from + len;
	static struct map_line cur, last;
	static char text[8192];
	int have_last = 0, eof = 0, ret = -1;
	size_t used = 0;
	FILE *maps;

	maps = fopen("/proc/self/maps", "r");
	if (!maps) {
		pr_perror("open maps");
		return -1;
	}
	buf[0] = '\0';
	while (!eof) {
		eof = !fgets(text, sizeof(text), maps);
		if (!eof) {
			if (map_line_parse(text, &cur) || cur.end <= from || cur.start >= to)
				continue;
			if (cur.start < from) {
				if (cur.ino)
					cur.pgoff += from - cur.start;
				cur.start = from;
			}
			if (cur.end > to)
				cur.end = to;
			if (have_last && last.end == cur.start && last.ino == cur.ino &&
			    !strcmp(last.perms, cur.perms) && !strcmp(last.path, cur.path) &&
			    (!cur.ino || last.pgoff + (last.end - last.start) == cur.pgoff)) {
				last.end = cur.end;
				continue;
			}
		}
		if (have_last) {
			used += snprintf(buf + used, size - used, "%lx-%lx %s %lx %s", last.start, last.end, last.perms,
					 last.pgoff, last.path);
			if (used < size && mode == MAP_TEXT_INODES)
				used += snprintf(buf + used, size - used, " %x:%x:%lu", last.dev_major, last.dev_minor,
						 last.ino);
			if (used < size)
				used += snprintf(buf + used, size - used, "\n");
			if (used >= size) {
				pr_err("maps text does not fit into %zu bytes\n", size);
				goto out;
			}
		}
		last = cur;
		have_last = 1;
	}
	ret = 0;
out:
	fclose(maps);
	return ret;
}

/* Compares the range with a text taken earlier by map_text(): 0 same, 1 differs (logged). */
static inline int map_text_changed(const void *start, size_t len, enum map_text_mode mode, const char *before)
{
	static char after[65536];

	if (map_text(start, len, mode, after, sizeof(after)))
		return 1;
	if (!strcmp(before, after))
		return 0;
	pr_err("maps before:\n%s", before);
	pr_err("maps after:\n%s", after);
	return 1;
}

/*
 * Whether the mapping at addr and the descriptor are one inode: 1, 0 or -1.
 * map_files is asked where that is permitted; its numbers are those of
 * fstat() on every filesystem, while maps shows others on btrfs and overlay.
 */
static inline int map_is_fd(const void *addr, int fd)
{
	static struct map_line line;
	struct stat by_fd, by_map;
	char link[64];

	if (map_find(addr, &line) || fstat(fd, &by_fd)) {
		pr_perror("no mapping at %p or bad descriptor %d", addr, fd);
		return -1;
	}
	snprintf(link, sizeof(link), "/proc/self/map_files/%lx-%lx", line.start, line.end);
	if (!stat(link, &by_map))
		return by_fd.st_dev == by_map.st_dev && by_fd.st_ino == by_map.st_ino;
	if (errno != EPERM && errno != EACCES) {
		pr_perror("stat %s", link);
		return -1;
	}
	return line.ino == by_fd.st_ino;
}

/* Whether two mappings are one inode: 1, 0 or -1. */
static inline int map_is_map(const void *one, const void *two)
{
	static struct map_line a, b;

	if (map_find(one, &a) || map_find(two, &b)) {
		pr_err("no mapping at %p or at %p\n", one, two);
		return -1;
	}
	return a.ino == b.ino && a.dev_major == b.dev_major && a.dev_minor == b.dev_minor;
}

/* Whether VmFlags of the mapping at addr contain the two-letter flag: 1, 0 or -1. */
static inline int map_has_flag(const void *addr, const char *flag)
{
	unsigned long at = (unsigned long)addr, start, end;
	static char text[8192];
	int inside = 0, ret = -1;
	FILE *smaps;

	smaps = fopen("/proc/self/smaps", "r");
	if (!smaps) {
		pr_perror("open smaps");
		return -1;
	}
	while (fgets(text, sizeof(text), smaps)) {
		char padded[8];

		if (sscanf(text, "%lx-%lx ", &start, &end) == 2 && strchr(text, '-') < strchr(text, ' ')) {
			inside = start <= at && at < end;
			continue;
		}
		if (!inside || strncmp(text, "VmFlags:", 8))
			continue;
		text[strcspn(text, "\n")] = ' ';
		snprintf(padded, sizeof(padded), " %s ", flag);
		ret = strstr(text, padded) != NULL;
		break;
	}
	fclose(smaps);
	if (ret < 0)
		pr_err("no VmFlags for %p\n", addr);
	return ret;
}

/* Sum in KiB of one smaps field ("Pss") over the mappings inside [start, start + len); -1 on error. */
static inline long map_smaps_kib(const void *start, size_t len, const char *field)
{
	unsigned long from = (unsigned long)start, to = from + len, a, b;
	size_t name_len = strlen(field);
	static char text[8192];
	int inside = 0;
	long sum = 0;
	FILE *smaps;

	smaps = fopen("/proc/self/smaps", "r");
	if (!smaps) {
		pr_perror("open smaps");
		return -1;
	}
	while (fgets(text, sizeof(text), smaps)) {
		long kib;

		if (sscanf(text, "%lx-%lx ", &a, &b) == 2 && strchr(text, '-') < strchr(text, ' ')) {
			inside = a >= from && b <= to;
			continue;
		}
		if (inside && !strncmp(text, field, name_len) && text[name_len] == ':' &&
		    sscanf(text + name_len + 1, "%ld", &kib) == 1)
			sum += kib;
	}
	fclose(smaps);
	return sum;
}

static inline uint64_t pattern_word(size_t index, unsigned int seed)
{
	return (index + 1) * 0x9e3779b97f4a7c15ULL ^ ((uint64_t)seed * 0xd6e8feb86659fd93ULL + 1);
}

/* Fills buf with bytes that depend on the seed and on the place in buf. */
static inline void pattern_fill(void *buf, size_t len, unsigned int seed)
{
	size_t i;

	for (i = 0; i < len; i += sizeof(uint64_t)) {
		uint64_t word = pattern_word(i / sizeof(uint64_t), seed);

		memcpy((char *)buf + i, &word, len - i < sizeof(word) ? len - i : sizeof(word));
	}
}

/* Offset of the first wrong word, or -1 when all of buf is as pattern_fill() left it. */
static inline long pattern_bad(const void *buf, size_t len, unsigned int seed)
{
	size_t i;

	for (i = 0; i < len; i += sizeof(uint64_t)) {
		uint64_t word = pattern_word(i / sizeof(uint64_t), seed);

		if (memcmp((const char *)buf + i, &word, len - i < sizeof(word) ? len - i : sizeof(word)))
			return (long)i;
	}
	return -1;
}

/* Offset of the first byte that is not zero, or -1. */
static inline long nonzero_at(const void *buf, size_t len)
{
	const char *bytes = buf;
	size_t i;

	for (i = 0; i < len; i++)
		if (bytes[i])
			return (long)i;
	return -1;
}

#endif
