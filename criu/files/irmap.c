#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>

#include "files/files-internal.h"
#include "files/irmap.h"
#include "kernel/path.h"

#define BATCH_WATCHES 1024

struct irmap {
	struct arena *arena; /* of the names */
	struct hash seen;    /* (device, number) -> name */
	unsigned int n_places;
	/* Files looked at whose numbers are not known yet. */
	int batch;		 /* inotify instance; owned; -1: there are none */
	VEC(const char *) names; /* of watch 1, 2, ... */
};

/* --- looking at files ------------------------------------------------------------ */

static int end_batch(struct irmap *irmap)
{
	struct proc_fdinfo info = { 0 };
	proc_watches watches = { 0 };
	int ret;

	if (irmap->batch < 0)
		return 0;
	ret = proc_read_fdinfo(getpid(), irmap->batch, &info);
	if (!ret)
		ret = proc_parse_watches(info.text, &watches);
	for (size_t i = 0; i < watches.n; i++) {
		const struct proc_watch *watch = &watches.data[i];
		const size_t n = (size_t)watch->wd - 1;

		if (n < irmap->names.n && !hash_get(&irmap->seen, watch->dev, watch->ino))
			hash_put(&irmap->seen, watch->dev, watch->ino, (void *)irmap->names.data[n]);
	}
	VEC_FREE(&watches);
	proc_fdinfo_free(&info);
	irmap->names.n = 0;
	close_fdp(&irmap->batch);
	irmap->batch = -1;
	return ret;
}

/* What can't be watched could not be watched by the tree, either; or it is gone. */
static int look_at(struct irmap *irmap, const char *path, uint32_t flags)
{
	int ret = 0, wd;

	if (irmap->batch < 0)
		irmap->batch = inotify_init1(IN_CLOEXEC);
	if (irmap->batch < 0)
		return fail_errno("inotify instance, to look for watched files");
	wd = inotify_add_watch(irmap->batch, path, IN_DELETE_SELF | flags);
	if (wd > 0 && (size_t)wd == irmap->names.n + 1)
		VEC_PUSH(&irmap->names, arena_strdup(irmap->arena, path));
	/* The user may have as many watches as these, and no more. */
	if (irmap->names.n == BATCH_WATCHES || (wd < 0 && errno == ENOSPC && irmap->names.n)) {
		ret = end_batch(irmap);
		if (!ret && wd < 0)
			ret = look_at(irmap, path, flags);
	}
	return ret;
}

static int look_below(struct irmap *irmap, const char *path)
{
	auto_free char *root = realpath(path, NULL);
	FTS *walk = root ? fts_open((char *[]){ root, NULL }, FTS_PHYSICAL | FTS_NOCHDIR | FTS_XDEV, NULL) : NULL;
	FTSENT *entry;
	int ret = 0;

	if (!walk)
		return -errno;
	while (!ret && (entry = fts_read(walk)))
		if (entry->fts_info != FTS_DP)
			ret = look_at(irmap, entry->fts_path, IN_DONT_FOLLOW);
	fts_close(walk);
	return ret;
}

/* --- where to look ---------------------------------------------------------------- */

static int look_in_scan_paths(struct irmap *irmap, struct files_dump *ctx)
{
	for (size_t i = 0; i < ctx->options->irmap_scan_paths.n; i++) {
		const char *path = ctx->options->irmap_scan_paths.data[i];
		int err = look_below(irmap, path);

		if (err)
			pr_warn("--irmap-scan-path %s: %s", path, strerror(-err));
	}
	return 0;
}

/* The file and all directories above it. */
static int look_upwards(struct irmap *irmap, const char *name)
{
	auto_free char *path = xstrdup(name);
	int ret = look_at(irmap, path, IN_DONT_FOLLOW);

	for (char *slash; !ret && (slash = strrchr(path, '/')); *slash = '\0') {
		slash[slash == path] = '\0';
		ret = look_at(irmap, path, IN_DONT_FOLLOW);
		if (slash == path)
			break;
	}
	return ret;
}

/* Names of open and mapped files, and what has no name any more. */
static int look_at_tree(struct irmap *irmap, struct files_dump *ctx)
{
	const struct model *model = ctx->model;
	int ret = 0;

	for (size_t i = 0; i < ctx->inodes->all.n && !ret; i++) {
		char path[32];

		snprintf(path, sizeof(path), "/proc/self/fd/%d", ctx->inodes->all.data[i]->fd);
		ret = look_at(irmap, path, 0);
	}
	for (size_t i = 0; i < model->files.n && !ret; i++) {
		const RegFileEntry *reg = model->files.data[i]->reg;

		if (reg && reg->name[0] == '/')
			ret = look_upwards(irmap, reg->name);
	}
	return ret;
}

static int look_where_usual(struct irmap *irmap, struct files_dump *ctx)
{
	static const char *const usual[] = {
		"/etc",	     "/usr/share/zoneinfo", "/usr/share/dbus-1", "/usr/share/polkit-1",
		"/lib/udev", "/var/spool",	    "/var/log"
	};
	int ret = 0;

	for (size_t i = 0; i < ARRAY_SIZE(usual) && !ret; i++)
		if (!access(usual[i], F_OK))
			ret = look_below(irmap, usual[i]);
	return ret;
}

/* --- the search ------------------------------------------------------------------- */

/* The name may lead to another file by now. */
static int open_seen(const char *path, uint32_t dev, uint64_t ino)
{
	const bool borrowed = !strncmp(path, "/proc/self/fd/", strlen("/proc/self/fd/"));
	auto_fd int fd = borrowed ? open(path, O_PATH | O_CLOEXEC) : path_open(path, O_PATH | O_NOFOLLOW);
	struct irmap check = { .arena = arena_new(), .batch = -1 };
	char link[32];
	bool same;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	same = fd >= 0 && !look_at(&check, link, 0) && !end_batch(&check) && hash_get(&check.seen, dev, ino);
	VEC_FREE(&check.names);
	hash_free(&check.seen);
	arena_free(check.arena);
	return same ? take_fd(&fd) : -ENOENT;
}

static struct irmap *irmap_of(struct files_dump *ctx)
{
	struct files_dump_state *state = files_dump_state(ctx);

	if (!state->irmap) {
		state->irmap = xalloc(sizeof(*state->irmap));
		state->irmap->arena = arena_new();
		state->irmap->batch = -1;
	}
	return state->irmap;
}

int irmap_open(struct files_dump *ctx, uint32_t dev, uint64_t ino)
{
	static int (*const places[])(struct irmap * irmap,
				     struct files_dump * ctx) = { look_in_scan_paths, look_at_tree, look_where_usual };
	struct irmap *irmap = irmap_of(ctx);
	const char *path;
	int ret;

	while (!(path = hash_get(&irmap->seen, dev, ino))) {
		if (irmap->n_places == ARRAY_SIZE(places))
			return -ENOENT;
		ret = places[irmap->n_places++](irmap, ctx);
		if (!ret)
			ret = end_batch(irmap);
		if (ret)
			return ret;
	}
	return open_seen(path, dev, ino);
}

void irmap_free(struct irmap *irmap)
{
	if (!irmap)
		return;
	close_fdp(&irmap->batch);
	VEC_FREE(&irmap->names);
	hash_free(&irmap->seen);
	arena_free(irmap->arena);
	free(irmap);
}
