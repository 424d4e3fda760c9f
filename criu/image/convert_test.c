#include <errno.h>
#include <signal.h>
#include <string.h>

#include "image/convert.h"
#include "image/pages.h"
#include "image/test-dir.h"
#include "image/vma-status.h"

#define OBJECT	  7
#define ANON	  8
#define OLD_GHOST 5
#define SIZE	  (3 * PAGE_BYTES + 100)

/* --- a directory with one object ------------------------------------------------- */

static bool exists(const struct image_dir *dir, const char *name)
{
	return !faccessat(dir->fd, name, F_OK, AT_SYMLINK_NOFOLLOW);
}

static int count_files(const struct image_dir *dir)
{
	DIR *list = opendir(dir->path);
	int n = 0;

	while (list && readdir(list))
		n++;
	closedir(list);
	return n;
}

/* Page @n is full of the letter 'a' + @n. */
static void write_pages(struct page_pipeline *pipeline, uint64_t id, const uint64_t *pages, size_t n)
{
	struct page_writer *writer;
	size_t bytes;
	void *room;

	CHECK(!page_writer_open(pipeline, IMAGE_PAGEMAP_SHMEM, id, &writer));
	for (size_t i = 0; i < n; i++) {
		CHECK(!page_writer_room(writer, &room, &bytes));
		memset(room, 'a' + (int)pages[i], PAGE_BYTES);
		CHECK(!page_writer_add(writer, pages[i] * PAGE_BYTES, 1));
	}
	CHECK(!page_writer_close(writer, NULL));
}

static void add_remap(struct model *model, uint32_t file, RemapType type, uint32_t id)
{
	RemapFilePathEntry *remap = model_new(model, RemapFilePathEntry, remap_file_path_entry__init);

	remap->orig_id = file;
	remap->has_remap_type = true;
	remap->remap_type = type;
	remap->remap_id = id;
	VEC_PUSH(&model->remaps, remap);
}

static void add_object(struct model *model)
{
	struct shmem_file_image *file = VEC_ADD(&model->shmem_files);
	ShmemFileEntry *entry = model_new(model, ShmemFileEntry, shmem_file_entry__init);

	file->id = OBJECT;
	file->entry = entry;
	entry->n_names = 1;
	entry->names = arena_array(model->arena, char *, 1);
	entry->names[0] = arena_strdup(model->arena, "/dev/shm/ring");
	entry->size = SIZE;
	entry->mode = 0100640;
	entry->uid = 11;
	entry->gid = 12;
	entry->mtim = model_new(model, ShmemFileTime, shmem_file_time__init);
	entry->mtim->sec = -5;
	entry->mtim->nsec = 999999999;
}

/* A task that maps anonymous shared memory. */
static void add_task(struct model *model)
{
	struct task_image *task = model_add_task(model);
	VmaEntry *vma = model_new(model, VmaEntry, vma_entry__init);

	task->pstree = model_new(model, PstreeEntry, pstree_entry__init);
	task->pstree->pid = 10;
	task->mm = model_new(model, MmEntry, mm_entry__init);
	task->mm->n_vmas = 1;
	task->mm->vmas = arena_array(model->arena, VmaEntry *, 1);
	task->mm->vmas[0] = vma;
	vma->status = VMA_AREA_REGULAR | VMA_ANON_SHARED;
	vma->shmid = ANON;
	task->n_core = 1;
	task->core = arena_array(model->arena, CoreEntry *, 1);
	task->core[0] = model_new(model, CoreEntry, core_entry__init);
}

static void build(struct model *model, struct image_dir *dir)
{
	static const uint64_t pages[] = { 0, 1, 3 };
	struct page_pipeline *pipeline;
	struct ghost_image *ghost;

	model_init(model);
	ghost = VEC_ADD(&model->ghosts);
	ghost->id = OLD_GHOST;
	ghost->entry = model_new(model, GhostFileEntry, ghost_file_entry__init);
	add_remap(model, 1, REMAP_TYPE__SHMEM, OBJECT);
	add_remap(model, 2, REMAP_TYPE__GHOST, OLD_GHOST);
	add_remap(model, 3, REMAP_TYPE__SHMEM, OBJECT);
	add_remap(model, 4, REMAP_TYPE__LINKED, OBJECT);
	add_object(model);
	add_task(model);
	CHECK(!page_pipeline_start(dir, &pipeline));
	write_pages(pipeline, OBJECT, pages, ARRAY_SIZE(pages));
	write_pages(pipeline, ANON, pages, 1);
	CHECK(!page_pipeline_finish(pipeline));
	test_dir_store(dir, "shmem-file-7.img", "", 0);
	test_dir_store(dir, "remap-fpath.img", "old", 3);
}

/* --- tests ---------------------------------------------------------------------------- */

static void read_chunk(struct image_reader *reader, struct arena *arena, uint64_t first, uint64_t bytes)
{
	auto_free char *content = xalloc(bytes);
	GhostChunkEntry *chunk = NULL;

	if (!CHECK_EQ(image_read_entry(reader, &ghost_chunk_entry__descriptor, arena, (void **)&chunk), 1))
		return;
	CHECK_EQ(chunk->off, first * PAGE_BYTES);
	CHECK_EQ(chunk->len, bytes);
	if (!CHECK(!image_read_raw(reader, content, bytes)))
		return;
	for (uint64_t i = 0; i < bytes; i += 50)
		if (content[i] != 'a' + (int)(first + i / PAGE_BYTES)) {
			CHECK_EQ(content[i], 'a' + (int)(first + i / PAGE_BYTES));
			break;
		}
}

static void check_ghost(const struct image_dir *dir)
{
	struct arena *arena cleanup_with(arena_freep) = arena_new();
	struct image_reader *reader;
	GhostFileEntry *ghost = NULL;
	void *more;

	if (!CHECK(!image_open(dir, IMAGE_GHOST_FILE, OLD_GHOST + 1, &reader)))
		return;
	CHECK_EQ(image_read_entry(reader, &ghost_file_entry__descriptor, arena, (void **)&ghost), 1);
	CHECK_EQ(ghost->mode, 0100640);
	CHECK_EQ(ghost->uid, 11);
	CHECK_EQ(ghost->gid, 12);
	CHECK(!ghost->atim && ghost->mtim);
	CHECK_EQ(ghost->mtim->tv_sec, -5);
	CHECK_EQ(ghost->mtim->tv_usec, 999999);
	CHECK(ghost->has_chunks && ghost->chunks && ghost->has_size);
	CHECK_EQ(ghost->size, SIZE);
	read_chunk(reader, arena, 0, 2 * PAGE_BYTES);
	read_chunk(reader, arena, 3, 100);
	CHECK_EQ(image_read_entry(reader, &ghost_chunk_entry__descriptor, arena, &more), 0);
	image_close(reader);
}

static void check_remaps(const struct image_dir *dir)
{
	static const RemapType types[] = { REMAP_TYPE__GHOST, REMAP_TYPE__GHOST, REMAP_TYPE__GHOST,
					   REMAP_TYPE__LINKED };
	static const uint32_t ids[] = { OLD_GHOST + 1, OLD_GHOST, OLD_GHOST + 1, OBJECT };
	struct arena *arena cleanup_with(arena_freep) = arena_new();
	struct image_reader *reader;
	RemapFilePathEntry *remap;

	if (!CHECK(!image_open(dir, IMAGE_REMAP_FPATH, 0, &reader)))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
		if (!CHECK_EQ(image_read_entry(reader, &remap_file_path_entry__descriptor, arena, (void **)&remap), 1))
			break;
		CHECK_EQ(remap->orig_id, i + 1);
		CHECK_EQ(remap->remap_type, types[i]);
		CHECK_EQ(remap->remap_id, ids[i]);
	}
	image_close(reader);
}

static void test_convert(struct image_dir *dir)
{
	struct convert_stats stats;
	struct model model;

	build(&model, dir);
	test_dir_store(dir, "external-objects.img", "", 0);
	CHECK(!symlinkat("/nowhere", dir->fd, "ghost-file-6.img"));
	CHECK_EQ(convert_to_mainline(dir, &model, &stats), 0);
	CHECK_EQ(stats.objects, 1);
	CHECK_EQ(stats.pages, 3);
	check_ghost(dir);
	check_remaps(dir);
	CHECK(!exists(dir, "shmem-file-7.img") && !exists(dir, "pagemap-shmem-7.img"));
	CHECK(!exists(dir, "external-objects.img") && !exists(dir, "remap-fpath.img.tmp"));
	CHECK(!exists(dir, "pages-1.img"));
	CHECK(exists(dir, "pagemap-shmem-8.img") && exists(dir, "pages-2.img"));
	model_free(&model);
}

/* Killed while cleaning up; and a number that was an object's once is another kind's now. */
static void test_clean(struct image_dir *dir)
{
	struct convert_stats stats;
	struct model model;

	build(&model, dir);
	model.shmem_files.n = 0;
	CHECK(!unlinkat(dir->fd, "pages-1.img", 0));
	test_dir_store(dir, "shmem-file-8.img", "", 0);
	test_dir_store(dir, "shmem-file-08.img", "", 0);
	test_dir_store(dir, "remap-fpath.img.tmp", "", 0);
	CHECK_EQ(convert_to_mainline(dir, &model, &stats), 0);
	CHECK_EQ(stats.objects, 0);
	CHECK(!exists(dir, "shmem-file-7.img") && !exists(dir, "pagemap-shmem-7.img"));
	CHECK(!exists(dir, "shmem-file-8.img") && !exists(dir, "remap-fpath.img.tmp"));
	CHECK(exists(dir, "shmem-file-08.img"));
	CHECK(exists(dir, "pagemap-shmem-8.img") && exists(dir, "pages-2.img"));
	model_free(&model);
}

static void check_undone(struct image_dir *dir, struct model *model, int want)
{
	int before = count_files(dir);
	struct convert_stats stats;
	ssize_t bytes;

	CHECK_EQ(convert_to_mainline(dir, model, &stats), want);
	CHECK_EQ(count_files(dir), before);
	free(test_dir_load(dir, "remap-fpath.img", &bytes));
	CHECK_EQ(bytes, 3);
}

static void test_undo(struct image_dir *dir)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN }, old;
	struct model model;
	sigset_t term;

	build(&model, dir);
	unlinkat(dir->fd, "ghost-file-6.img", 0);
	model.shmem_files.data[0].entry->size = PAGE_BYTES;
	check_undone(dir, &model, -EINVAL);
	model.shmem_files.data[0].entry->size = SIZE;
	model.ghosts.data[0].id = 0x7fffffff;
	check_undone(dir, &model, -EOVERFLOW);
	model.ghosts.data[0].id = OLD_GHOST;

	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	sigprocmask(SIG_BLOCK, &term, NULL);
	raise(SIGTERM);
	check_undone(dir, &model, -EINTR);
	sigaction(SIGTERM, &ignore, &old); /* drops it */
	sigprocmask(SIG_UNBLOCK, &term, NULL);
	sigaction(SIGTERM, &old, NULL);
	model_free(&model);
}

static size_t refused(const struct model *model)
{
	struct refusals refusals = { 0 };
	size_t n;

	convert_check(model, &refusals);
	n = refusals.n;
	refusals_free(&refusals);
	return n;
}

static ShmemFileXattr *new_xattr(struct model *model, const char *name)
{
	ShmemFileXattr *xattr = model_new(model, ShmemFileXattr, shmem_file_xattr__init);

	xattr->name = arena_strdup(model->arena, name);
	return xattr;
}

/* It watches itself, under its own number. */
static void add_epoll(struct model *model)
{
	struct fdtable_image *table = VEC_ADD(&model->fdtables);
	FileEntry *file = model_add_file(model, FD_TYPES__EVENTPOLL);

	table->fds = arena_array(model->arena, FdinfoEntry *, 1);
	table->fds[0] = model_new(model, FdinfoEntry, fdinfo_entry__init);
	table->fds[0]->fd = 3;
	table->fds[0]->id = file->id;
	table->n_fds = 1;
	file->epfd = model_new(model, EventpollFileEntry, eventpoll_file_entry__init);
	file->epfd->fown = model_new(model, FownEntry, fown_entry__init);
	file->epfd->n_tfd = 1;
	file->epfd->tfd = arena_array(model->arena, EventpollTfdEntry *, 1);
	file->epfd->tfd[0] = model_new(model, EventpollTfdEntry, eventpoll_tfd_entry__init);
	file->epfd->tfd[0]->tfd = 3;
	file->epfd->tfd[0]->id = file->id;
}

static void test_refusals(struct image_dir *dir)
{
	ExternalObjectEntry *external;
	ShmemFileEntry *file;
	struct model model;
	PipeDataEntry *pipe;

	build(&model, dir);
	CHECK_EQ(refused(&model), 0);

	/* Attributes that mainline does not keep either are only warned of. */
	model.tasks.data[0].mm->has_memory_merge = true;
	model.tasks.data[0].core[0]->thread_core = model_new(&model, ThreadCoreEntry, thread_core_entry__init);
	model.tasks.data[0].core[0]->thread_core->extra = model_new(&model, ThreadExtraEntry, thread_extra_entry__init);
	model.tasks.data[0].core[0]->thread_core->extra->has_ioprio = true;
	CHECK_EQ(refused(&model), 0);
	CHECK_STR(log_first_error(), "");

	file = model.shmem_files.data[0].entry;
	file->xattrs = arena_array(model.arena, ShmemFileXattr *, 2);
	file->xattrs[0] = new_xattr(&model, "security.selinux");
	file->xattrs[1] = new_xattr(&model, "user.tag");
	file->n_xattrs = 1;
	CHECK_EQ(refused(&model), 0);
	file->has_huge_page_bytes = true;
	CHECK_EQ(refused(&model), 1);
	file->has_huge_page_bytes = false;
	file->n_xattrs = 2;
	CHECK_EQ(refused(&model), 0);

	external = model_new(&model, ExternalObjectEntry, external_object_entry__init);
	external->kind = external->name = arena_strdup(model.arena, "object");
	VEC_PUSH(&model.external_objects, external);
	CHECK_EQ(refused(&model), 1);
	external->saved = true;
	CHECK_EQ(refused(&model), 0);

	pipe = model_new(&model, PipeDataEntry, pipe_data_entry__init);
	pipe->n_stretches = 2;
	VEC_ADD(&model.pipe_data)->entry = pipe;
	CHECK_EQ(refused(&model), 1);

	add_epoll(&model);
	CHECK_EQ(refused(&model), 1);
	model.files.data[0]->epfd->tfd[0]->tfd++;
	CHECK_EQ(refused(&model), 2);
	model_free(&model);
}

int main(void)
{
	struct image_dir dir = test_dir_open();

	test_refusals(&dir);
	test_convert(&dir);
	test_clean(&dir);
	test_undo(&dir);
	test_dir_remove(&dir);
	return test_end();
}
