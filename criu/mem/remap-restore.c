/*
 * Deleted names at restore: each object once, and one descriptor of it per name that holders see. The
 * temporary links of --link-remap stay until every holder is attached: until then a failed restore can be
 * tried again.
 */
#include <fcntl.h>
#include <string.h>

#include "kernel/path.h"
#include "mem/ghost.h"
#include "mem/inode.h"
#include "mem/remap.h"
#include "util/log.h"

struct remapped_name {
	const char *path;
	int fd;			     /* owned, unless borrowed from a shared object */
	uint32_t object;	     /* id of that; 0: none */
	const GhostFileEntry *ghost; /* NULL: not one */
};

struct remap_link {
	const char *path;
	int fd; /* owned */
};

struct remap_restore {
	struct hash by_file;		   /* file id -> struct remapped_name */
	VEC(struct remapped_name *) names; /* owned */
	VEC(struct remap_link) links;
};

/* Remaps of one object, and the different names among them. */
struct group {
	RemapFilePathEntry **remaps;
	size_t n;
	const char **paths;
	int *fds;
	size_t n_paths;
	const GhostFileEntry *ghost; /* NULL: not one */
};

static int order_remaps(const void *a, const void *b)
{
	const RemapFilePathEntry *x = *(RemapFilePathEntry *const *)a, *y = *(RemapFilePathEntry *const *)b;

	if (x->remap_type != y->remap_type)
		return x->remap_type < y->remap_type ? -1 : 1;
	return x->remap_id < y->remap_id ? -1 : x->remap_id > y->remap_id;
}

static int path_index(const struct group *group, const char *path)
{
	for (size_t i = 0; i < group->n_paths; i++)
		if (!strcmp(group->paths[i], path))
			return (int)i;
	return -1;
}

static int collect_paths(const struct model *model, struct group *group)
{
	group->paths = xalloc(group->n * sizeof(*group->paths));
	group->fds = xalloc(group->n * sizeof(*group->fds));
	for (size_t i = 0; i < group->n; i++) {
		const FileEntry *file = model_file(model, group->remaps[i]->orig_id);

		if (!file || !file->reg)
			return fail(EINVAL, "remap-fpath.img: file %u is not a regular-file entry",
				    group->remaps[i]->orig_id);
		if (path_index(group, file->reg->name) < 0)
			group->paths[group->n_paths++] = file->reg->name;
	}
	return 0;
}

static void keep_names(struct remap_restore *remaps, const struct model *model, const struct group *group,
		       uint32_t object)
{
	size_t first = remaps->names.n;

	for (size_t i = 0; i < group->n_paths; i++) {
		struct remapped_name *name = xalloc(sizeof(*name));

		*name = (struct remapped_name){ group->paths[i], group->fds[i], object, group->ghost };
		VEC_PUSH(&remaps->names, name);
	}
	for (size_t i = 0; i < group->n; i++) {
		const FileEntry *file = model_file(model, group->remaps[i]->orig_id);
		int index = path_index(group, file->reg->name);

		hash_put(&remaps->by_file, file->id, 0, remaps->names.data[first + index]);
	}
}

/* --- the three kinds ---------------------------------------------------------------- */

static int make_ghost(const struct model *model, const struct image_dir *dir, struct guard *guard, struct group *group)
{
	uint32_t id = group->remaps[0]->remap_id;

	for (size_t i = 0; i < model->ghosts.n; i++) {
		const struct ghost_image *ghost = &model->ghosts.data[i];

		if (ghost->id != id)
			continue;
		group->ghost = ghost->entry;
		return ghost_make(dir, ghost, group->paths, group->n_paths, guard, group->fds);
	}
	return fail(EINVAL, "remap-fpath.img: ghost %x is not there", id);
}

static int find_shmem(struct shmem_restore *shmem, const struct group *group)
{
	for (size_t i = 0; i < group->n_paths; i++) {
		group->fds[i] = shmem_file_fd(shmem, group->remaps[0]->remap_id, group->paths[i]);
		if (group->fds[i] < 0)
			return group->fds[i];
	}
	return 0;
}

static int open_link(const struct model *model, uint32_t id, struct remap_link *ret)
{
	const FileEntry *file = model_file(model, id);
	struct stat st;

	if (!file || !file->reg)
		return fail(EINVAL, "remap-fpath.img: link %u is not a regular-file entry", id);
	ret->path = file->reg->name;
	ret->fd = path_open(ret->path, O_PATH | O_NOFOLLOW);
	if (ret->fd < 0)
		return fail(-ret->fd, "%s: the temporary link of the dump (--link-remap) can't be opened", ret->path);
	if (fstat(ret->fd, &st))
		return fail_errno("%s: fstat", ret->path);
	if (file->reg->has_mode && (st.st_mode & S_IFMT) != (file->reg->mode & S_IFMT))
		return fail(ESTALE, "%s: not the kind of file it was linked as", ret->path);
	return 0;
}

static int find_link(struct remap_restore *remaps, const struct model *model, struct guard *guard,
		     const struct group *group)
{
	struct remap_link *link = VEC_ADD(&remaps->links);
	size_t n = 0;
	int err;

	link->fd = -1;
	err = open_link(model, group->remaps[0]->remap_id, link);
	while (!err && n < group->n_paths) {
		err = remap_open_as(link->fd, link->path, group->paths[n], guard, &group->fds[n]);
		if (!err)
			n++;
	}
	while (err && n)
		close(group->fds[--n]);
	return err;
}

static int make_group(struct remap_restore *remaps, const struct model *model, const struct image_dir *dir,
		      struct shmem_restore *shmem, struct guard *guard, struct group *group)
{
	int err = collect_paths(model, group);

	if (err)
		return err;
	switch (group->remaps[0]->remap_type) {
	case REMAP_TYPE__GHOST:
		err = make_ghost(model, dir, guard, group);
		break;
	case REMAP_TYPE__SHMEM:
		err = find_shmem(shmem, group);
		break;
	case REMAP_TYPE__LINKED:
		err = find_link(remaps, model, guard, group);
		break;
	default:
		err = fail(ENOTSUP, "remap-fpath.img: file %u: remap type %d", group->remaps[0]->orig_id,
			   (int)group->remaps[0]->remap_type);
	}
	if (!err)
		keep_names(remaps, model, group,
			   group->remaps[0]->remap_type == REMAP_TYPE__SHMEM ? group->remaps[0]->remap_id : 0);
	return err;
}

int remap_make(const struct model *model, const struct image_dir *dir, const struct options *options,
	       struct shmem_restore *shmem, struct guard *guard, struct remap_restore **ret)
{
	struct remap_restore *remaps = xalloc(sizeof(*remaps));
	auto_free RemapFilePathEntry **sorted = xalloc((model->remaps.n + 1) * sizeof(*sorted));
	size_t n = model->remaps.n;
	int err = 0;

	if (n) {
		memcpy(sorted, model->remaps.data, n * sizeof(*sorted));
		qsort(sorted, n, sizeof(*sorted), order_remaps);
	}
	for (size_t start = 0, end; start < n && !err; start = end) {
		struct group group = { .remaps = &sorted[start] };

		for (end = start + 1; end < n && !order_remaps(&sorted[start], &sorted[end]);)
			end++;
		group.n = end - start;
		err = make_group(remaps, model, dir, shmem, guard, &group);
		free(group.paths);
		free(group.fds);
	}
	if (err) {
		remap_restore_free(remaps);
		return err;
	}
	*ret = remaps;
	return 0;
}

int remap_fd(const struct remap_restore *remaps, uint32_t file_id)
{
	const struct remapped_name *name = hash_get(&remaps->by_file, file_id, 0);

	return name ? name->fd : -ENOENT;
}

int remap_settle(struct remap_restore *remaps)
{
	int err = 0;

	for (size_t i = 0; i < remaps->names.n && !err; i++) {
		const struct remapped_name *name = remaps->names.data[i];

		if (name->ghost)
			err = ghost_set_times(name->ghost, name->fd, name->path);
	}
	return err;
}

uint32_t remap_object(const struct remap_restore *remaps, uint32_t file_id)
{
	const struct remapped_name *name = hash_get(&remaps->by_file, file_id, 0);

	return name ? name->object : 0;
}

static void close_names(struct remap_restore *remaps)
{
	for (size_t i = 0; i < remaps->names.n; i++) {
		if (!remaps->names.data[i]->object)
			close(remaps->names.data[i]->fd);
		free(remaps->names.data[i]);
	}
	VEC_FREE(&remaps->names);
	hash_free(&remaps->by_file);
}

int remap_finish(struct remap_restore *remaps)
{
	int err = 0;

	for (size_t i = 0; i < remaps->links.n; i++) {
		const struct remap_link *link = &remaps->links.data[i];
		int failed = remap_unlink(link->path, link->fd);

		if (failed && !err)
			err = fail(-failed, "%s: remove the temporary link", link->path);
	}
	close_names(remaps);
	return err;
}

void remap_restore_free(struct remap_restore *remaps)
{
	if (!remaps)
		return;
	close_names(remaps);
	for (size_t i = 0; i < remaps->links.n; i++)
		if (remaps->links.data[i].fd >= 0)
			close(remaps->links.data[i].fd);
	VEC_FREE(&remaps->links);
	free(remaps);
}
