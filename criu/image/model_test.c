#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "arch.h"
#include "image/image-check.h"
#include "image/test-dir.h"
#include "image/vma-status.h"

/* --- a checkpoint with one of everything -------------------------------------- */

static FownEntry *fown_new(struct model *model)
{
	return model_new(model, FownEntry, fown_entry__init);
}

static uint32_t add_reg(struct model *model, const char *name)
{
	FileEntry *file = model_add_file(model, FD_TYPES__REG);

	file->reg = model_new(model, RegFileEntry, reg_file_entry__init);
	file->reg->id = file->id;
	file->reg->fown = fown_new(model);
	file->reg->name = arena_strdup(model->arena, name);
	return file->id;
}

static void add_pipe(struct model *model, bool fifo, uint32_t regf_id)
{
	FileEntry *file = model_add_file(model, fifo ? FD_TYPES__FIFO : FD_TYPES__PIPE);
	struct pipe_data_image *data = VEC_ADD(&model->pipe_data);

	if (fifo) {
		file->fifo = model_new(model, FifoEntry, fifo_entry__init);
		file->fifo->id = file->id;
		file->fifo->pipe_id = 1;
		file->fifo->has_regf_id = true;
		file->fifo->regf_id = regf_id;
	} else {
		file->pipe = model_new(model, PipeEntry, pipe_entry__init);
		file->pipe->id = file->id;
		file->pipe->pipe_id = 1;
		file->pipe->fown = fown_new(model);
	}
	data->fifo = fifo;
	data->entry = model_new(model, PipeDataEntry, pipe_data_entry__init);
	data->entry->pipe_id = 1;
	data->entry->bytes = fifo ? 0 : 5;
	data->entry->has_size = true;
	data->entry->size = 65536;
	data->bytes = arena_strdup(model->arena, "hello");
}

static UnixSkEntry *add_unix(struct model *model, uint32_t ino, uint32_t peer)
{
	FileEntry *file = model_add_file(model, FD_TYPES__UNIXSK);

	file->usk = model_new(model, UnixSkEntry, unix_sk_entry__init);
	file->usk->id = file->id;
	file->usk->ino = ino;
	file->usk->type = 1;
	file->usk->state = peer ? 1 : 7;
	file->usk->peer = peer;
	file->usk->fown = fown_new(model);
	file->usk->opts = model_new(model, SkOptsEntry, sk_opts_entry__init);
	return file->usk;
}

static void add_unix_pair(struct model *model)
{
	struct sk_packet_image *packet = VEC_ADD(&model->sk_packets);

	add_unix(model, 51, 52);
	packet->entry = model_new(model, SkPacketEntry, sk_packet_entry__init);
	packet->entry->id_for = add_unix(model, 52, 51)->id;
	packet->entry->length = 6;
	packet->bytes = arena_strdup(model->arena, "queued");
}

static UnixSkEntry *unix_of(struct model *model, uint32_t ino)
{
	for (size_t i = 0; i < model->files.n; i++)
		if (model->files.data[i]->usk && model->files.data[i]->usk->ino == ino)
			return model->files.data[i]->usk;
	return NULL;
}

static uint32_t add_memfd(struct model *model)
{
	FileEntry *file = model_add_file(model, FD_TYPES__MEMFD);
	MemfdInodeEntry *inode = model_new(model, MemfdInodeEntry, memfd_inode_entry__init);

	file->memfd = model_new(model, MemfdFileEntry, memfd_file_entry__init);
	file->memfd->id = file->id;
	file->memfd->fown = fown_new(model);
	file->memfd->inode_id = 4;
	inode->name = arena_strdup(model->arena, "shared");
	inode->inode_id = 4;
	inode->shmid = 4;
	inode->size = 8192;
	VEC_PUSH(&model->memfds, inode);
	return file->id;
}

static void add_tty(struct model *model)
{
	FileEntry *file = model_add_file(model, FD_TYPES__TTY);
	TtyInfoEntry *info = model_new(model, TtyInfoEntry, tty_info_entry__init);

	file->tty = model_new(model, TtyFileEntry, tty_file_entry__init);
	file->tty->id = file->id;
	file->tty->fown = fown_new(model);
	file->tty->tty_info_id = 9;
	info->id = 9;
	info->type = TTY_TYPE__PTY;
	info->pty = model_new(model, TtyPtyEntry, tty_pty_entry__init);
	info->termios = model_new(model, TermiosEntry, termios_entry__init);
	info->termios->n_c_cc = 32;
	info->termios->c_cc = arena_array(model->arena, uint32_t, 32);
	VEC_PUSH(&model->ttys, info);
}

static void add_lock(struct model *model, int32_t pid, int32_t fd)
{
	FileLockEntry *lock = model_new(model, FileLockEntry, file_lock_entry__init);

	lock->flag = FILE_LOCK_POSIX;
	lock->pid = pid;
	lock->fd = fd;
	lock->start = 7;
	lock->len = 9;
	VEC_PUSH(&model->file_locks, lock);
}

static void add_remap(struct model *model, uint32_t orig_id, RemapType type, uint32_t remap_id)
{
	RemapFilePathEntry *remap = model_new(model, RemapFilePathEntry, remap_file_path_entry__init);

	remap->orig_id = orig_id;
	remap->has_remap_type = true;
	remap->remap_type = type;
	remap->remap_id = remap_id;
	VEC_PUSH(&model->remaps, remap);
}

static void add_shmem_file(struct model *model, uint32_t id)
{
	struct shmem_file_image *file = VEC_ADD(&model->shmem_files);
	ShmemFileEntry *entry = model_new(model, ShmemFileEntry, shmem_file_entry__init);

	file->id = id;
	file->entry = entry;
	entry->n_names = 1;
	entry->names = arena_array(model->arena, char *, 1);
	entry->names[0] = arena_strdup(model->arena, "/dev/shm/ring");
	entry->fs_magic = 0x01021994;
	entry->size = 4096;
	entry->mode = 0100600;
	entry->mtim = model_new(model, ShmemFileTime, shmem_file_time__init);
	entry->mtim->sec = -5;
	entry->mtim->nsec = 999999999;
	entry->n_xattrs = 1;
	entry->xattrs = arena_array(model->arena, ShmemFileXattr *, 1);
	entry->xattrs[0] = model_new(model, ShmemFileXattr, shmem_file_xattr__init);
	entry->xattrs[0]->name = arena_strdup(model->arena, "user.tag");
}

static void add_external_object(struct model *model, uint64_t id)
{
	ExternalObjectEntry *entry = model_new(model, ExternalObjectEntry, external_object_entry__init);
	ExternalHolderEntry *holder = model_new(model, ExternalHolderEntry, external_holder_entry__init);

	entry->id = id;
	entry->kind = arena_strdup(model->arena, "deleted file");
	entry->name = arena_strdup(model->arena, "/dev/shm/ring");
	entry->boot_id = arena_strdup(model->arena, "one");
	entry->handle = model_new(model, FhEntry, fh_entry__init);
	entry->handle->bytes = 12;
	entry->handle->n_handle = 2;
	entry->handle->handle = arena_array(model->arena, uint64_t, 2);
	entry->n_holders = 1;
	entry->holders = arena_array(model->arena, ExternalHolderEntry *, 1);
	entry->holders[0] = holder;
	holder->pid = 5;
	holder->comm = arena_strdup(model->arena, "outsider");
	holder->access = arena_strdup(model->arena, "rw-s");
	holder->has_start = holder->has_end = true;
	holder->start = 0x1000;
	holder->end = 0x2000;
	VEC_PUSH(&model->external_objects, entry);
}

static void add_segment(struct model *model, uint64_t shmid)
{
	SysvShmEntry *entry = model_new(model, SysvShmEntry, sysv_shm_entry__init);

	entry->shm = model_new(model, IpcShmEntry, ipc_shm_entry__init);
	entry->shm->desc = model_new(model, IpcDescEntry, ipc_desc_entry__init);
	entry->shm->desc->id = 32770;
	entry->shm->size = 100;
	entry->shm->has_in_pagemaps = true;
	entry->shm->in_pagemaps = true;
	entry->shmid = shmid;
	entry->cpid = 10;
	entry->ctime = 1;
	VEC_PUSH(&model->sysv_shms, entry);
}

static CoreEntry *new_core(struct model *model, bool leader, uint32_t state)
{
	CoreEntry *core = model_new(model, CoreEntry, core_entry__init);
	CredsEntry *creds;

	core->mtype = ARCH_MTYPE;
	if (leader) {
		core->tc = model_new(model, TaskCoreEntry, task_core_entry__init);
		core->tc->task_state = state;
		core->tc->comm = arena_strdup(model->arena, "job");
	}
	if (state == TASK_STATE_DEAD)
		return core;
	core->thread_info = model_new(model, ThreadInfoX86, thread_info_x86__init);
	core->thread_info->gpregs = model_new(model, UserX86RegsEntry, user_x86_regs_entry__init);
	core->thread_info->fpregs = model_new(model, UserX86FpregsEntry, user_x86_fpregs_entry__init);
	core->thread_core = model_new(model, ThreadCoreEntry, thread_core_entry__init);
	creds = model_new(model, CredsEntry, creds_entry__init);
	creds->n_cap_inh = creds->n_cap_prm = creds->n_cap_eff = creds->n_cap_bnd = 2;
	creds->cap_inh = creds->cap_prm = creds->cap_eff = creds->cap_bnd = arena_array(model->arena, uint32_t, 2);
	core->thread_core->creds = creds;
	if (!leader)
		return core;
	core->tc->n_sigactions = 62;
	core->tc->sigactions = arena_array(model->arena, SaEntry *, 62);
	for (size_t i = 0; i < 62; i++)
		core->tc->sigactions[i] = model_new(model, SaEntry, sa_entry__init);
	return core;
}

static VmaEntry *new_vma(struct model *model, uint64_t page, uint32_t status, uint32_t flags, uint64_t shmid)
{
	VmaEntry *vma = model_new(model, VmaEntry, vma_entry__init);

	vma->start = page * PAGE_BYTES;
	vma->end = vma->start + PAGE_BYTES;
	vma->prot = PROT_READ;
	vma->status = VMA_AREA_REGULAR | status;
	vma->flags = flags;
	vma->shmid = shmid;
	vma->fd = -1;
	return vma;
}

static MmEntry *new_mm(struct model *model, uint32_t exe, uint32_t memfd)
{
	MmEntry *mm = model_new(model, MmEntry, mm_entry__init);

	mm->exe_file_id = exe;
	mm->vmas = arena_array(model->arena, VmaEntry *, 6);
	mm->vmas[mm->n_vmas++] = new_vma(model, 16, VMA_FILE_PRIVATE, MAP_PRIVATE, exe);
	mm->vmas[mm->n_vmas++] = new_vma(model, 17, VMA_ANON_PRIVATE, MAP_PRIVATE | MAP_ANONYMOUS, 0);
	mm->vmas[mm->n_vmas++] = new_vma(model, 20, VMA_ANON_SHARED, MAP_SHARED | MAP_ANONYMOUS, 3);
	mm->vmas[mm->n_vmas++] = new_vma(model, 30, VMA_FILE_SHARED | VMA_AREA_MEMFD, MAP_SHARED, memfd);
	mm->vmas[mm->n_vmas++] = new_vma(model, 40, VMA_ANON_SHARED | VMA_AREA_SYSVIPC, MAP_SHARED, 7);
	mm->vmas[mm->n_vmas++] = new_vma(model, 17, VMA_AREA_GUARD, MAP_PRIVATE, 0);
	return mm;
}

static void add_task(struct model *model, uint32_t pid, uint32_t ppid, uint32_t n_threads, uint32_t state)
{
	struct task_image *task = model_add_task(model);

	task->pstree = model_new(model, PstreeEntry, pstree_entry__init);
	task->pstree->pid = pid;
	task->pstree->ppid = ppid;
	task->pstree->n_threads = n_threads;
	task->pstree->threads = arena_array(model->arena, uint32_t, n_threads);
	task->n_core = n_threads;
	task->core = arena_array(model->arena, CoreEntry *, n_threads);
	for (uint32_t i = 0; i < n_threads; i++) {
		task->pstree->threads[i] = pid + i;
		task->core[i] = new_core(model, i == 0, state);
	}
	if (state == TASK_STATE_DEAD)
		return;
	task->ids = model_new(model, TaskKobjIdsEntry, task_kobj_ids_entry__init);
	task->ids->vm_id = task->ids->files_id = task->ids->sighand_id = pid;
	task->fs = model_new(model, FsEntry, fs_entry__init);
	task->fs->cwd_id = task->fs->root_id = 1;
}

static void add_fds(struct model *model, uint32_t files_id)
{
	struct fdtable_image *table = VEC_ADD(&model->fdtables);

	table->files_id = files_id;
	table->fds = arena_array(model->arena, FdinfoEntry *, model->files.n);
	for (size_t i = 0; i < model->files.n; i++) {
		FdinfoEntry *entry = model_new(model, FdinfoEntry, fdinfo_entry__init);

		entry->fd = i;
		entry->id = model->files.data[i]->id;
		entry->type = model->files.data[i]->type;
		table->fds[table->n_fds++] = entry;
	}
}

static void write_ghost(struct image_dir *dir)
{
	GhostFileEntry ghost = GHOST_FILE_ENTRY__INIT;
	struct image_writer *writer;

	ghost.mode = 0100644;
	CHECK(!image_create(dir, IMAGE_GHOST_FILE, 1, &writer));
	CHECK(!image_write_entry(writer, &ghost.base));
	CHECK(!image_write_raw(writer, "content", 7));
	CHECK(!image_finish(writer));
}

static void build(struct model *model)
{
	uint32_t root, exe, ghost, shared, memfd;

	model_init(model);
	model->inventory = model_new(model, InventoryEntry, inventory_entry__init);
	model->inventory->img_version = 2;
	model->inventory->has_fdinfo_per_id = true;
	model->inventory->fdinfo_per_id = true;
	root = add_reg(model, "/");
	exe = add_reg(model, "/bin/job");
	ghost = add_reg(model, "/tmp/gone");
	shared = add_reg(model, "/dev/shm/ring");
	add_remap(model, ghost, REMAP_TYPE__GHOST, 1);
	add_remap(model, shared, REMAP_TYPE__SHMEM, 6);
	add_remap(model, exe, REMAP_TYPE__LINKED, root);
	add_shmem_file(model, 6);
	add_external_object(model, 6);
	add_segment(model, 7);
	add_pipe(model, false, 0);
	add_pipe(model, true, ghost);
	add_unix_pair(model);
	memfd = add_memfd(model);
	add_tty(model);
	add_lock(model, 10, 1);
	add_task(model, 10, 0, 2, TASK_STATE_ALIVE);
	add_task(model, 20, 10, 1, TASK_STATE_STOPPED);
	add_task(model, 30, 10, 1, TASK_STATE_DEAD);
	model->tasks.data[0].mm = new_mm(model, exe, memfd);
	/* The second shares memory and descriptors with the first. */
	model->tasks.data[1].ids->vm_id = model->tasks.data[1].ids->files_id = 10;
	add_fds(model, 10);
	model->seccomp = model_new(model, SeccompEntry, seccomp_entry__init);
	CHECK(!model_index(model));
}

/* --- tests --------------------------------------------------------------------- */

static int read_model(struct image_dir *dir)
{
	struct model model;
	int err;

	model_init(&model);
	err = image_read(dir, &model);
	model_free(&model);
	return err;
}

static void write_model(struct image_dir *dir, const struct model *model)
{
	CHECK(!image_remove_inventory(dir));
	CHECK(!image_write(dir, model));
	CHECK(!image_sync(dir));
	CHECK_EQ(read_model(dir), -ENOENT);
	CHECK(!image_prepare_commit(dir, model));
	CHECK_EQ(read_model(dir), -ENOENT);
	CHECK(!image_commit(dir->fd));
}

static const char *const all_files[] = {
	"inventory.img", "pstree.img",	     "core-10.img",	 "core-11.img",	   "core-20.img",   "core-30.img",
	"ids-10.img",	 "ids-20.img",	     "mm-10.img",	 "fs-10.img",	   "fs-20.img",	    "fdinfo-10.img",
	"files.img",	 "remap-fpath.img",  "memfd.img",	 "pipes-data.img", "fifo-data.img", "tty-info.img",
	"seccomp.img",	 "shmem-file-6.img", "ghost-file-1.img", "sysv-shm.img",
};

/* Read, written again, the same bytes. */
static void test_round_trip(struct image_dir *dir, struct model *built)
{
	uint8_t *before[ARRAY_SIZE(all_files)];
	ssize_t n_before[ARRAY_SIZE(all_files)];
	struct model model;

	/* Left by an earlier dump: must not be taken for this one's. */
	test_dir_store(dir, "ids-30.img", "old", 3);
	test_dir_store(dir, "mm-20.img", "old", 3);
	write_ghost(dir);
	write_model(dir, built);
	model_init(&model);
	if (!CHECK_EQ(image_read(dir, &model), 0))
		return;
	CHECK_EQ(model.tasks.n, 3);
	CHECK_EQ(model.tasks.data[0].n_core, 2);
	CHECK(!model.tasks.data[1].mm && !model.tasks.data[2].fs);
	CHECK_EQ(model.fdtables.n, 1);
	CHECK_EQ(model.files.n, built->files.n);
	CHECK(model_task(&model, 20) == &model.tasks.data[1]);
	CHECK_STR(model_file(&model, 2)->reg->name, "/bin/job");
	CHECK_EQ(model.ghosts.n, 1);
	CHECK_EQ(model.shmem_files.data[0].entry->mtim->sec, -5);
	if (CHECK_EQ(model.external_objects.n, 1))
		CHECK_EQ(model.external_objects.data[0]->holders[0]->end, 0x2000);
	CHECK_EQ(model_sysv_shm(&model, 7)->shm->desc->id, 32770);
	CHECK(!model_sysv_shm(&model, 6));
	CHECK(!memcmp(model.pipe_data.data[0].bytes, "hello", 5));

	for (size_t i = 0; i < ARRAY_SIZE(all_files); i++)
		before[i] = test_dir_load(dir, all_files[i], &n_before[i]);
	write_model(dir, &model);
	for (size_t i = 0; i < ARRAY_SIZE(all_files); i++) {
		ssize_t bytes;
		uint8_t *after = test_dir_load(dir, all_files[i], &bytes);

		if (!CHECK(bytes > 0 && bytes == n_before[i] && !memcmp(before[i], after, bytes)))
			printf("\t%s\n", all_files[i]);
		free(before[i]);
		free(after);
	}
	model_free(&model);
}

static void test_missing(struct image_dir *dir)
{
	/* Without these a job is another job; the others may be absent in an image of mainline's. */
	static const char *const needed[] = { "inventory.img", "pstree.img", "core-10.img",
					      "core-11.img",   "ids-10.img", "mm-10.img",
					      "fs-10.img",     "files.img",  "ghost-file-1.img" };

	for (size_t i = 0; i < ARRAY_SIZE(needed); i++) {
		CHECK(!renameat(dir->fd, needed[i], dir->fd, "aside"));
		if (!CHECK(read_model(dir) < 0))
			printf("\t%s\n", needed[i]);
		CHECK(!renameat(dir->fd, "aside", dir->fd, needed[i]));
	}
	CHECK_EQ(read_model(dir), 0);
}

/* Whatever happens to a byte, reading ends with a model that holds together, or an error. */
static void test_damaged(struct image_dir *dir)
{
	static const uint8_t flips[] = { 0x01, 0x88 };
	int refused = 0;

	for (size_t f = 0; f < ARRAY_SIZE(all_files); f++) {
		ssize_t bytes;
		auto_free uint8_t *data = test_dir_load(dir, all_files[f], &bytes);
		auto_fd int fd = openat(dir->fd, all_files[f], O_WRONLY | O_CLOEXEC);

		for (ssize_t i = 0; i < bytes; i++) {
			for (size_t j = 0; j < ARRAY_SIZE(flips); j++) {
				uint8_t bad = data[i] ^ flips[j];

				CHECK(pwrite(fd, &bad, 1, i) == 1);
				refused += read_model(dir) < 0;
			}
			CHECK(pwrite(fd, &data[i], 1, i) == 1);
		}
		for (ssize_t n = bytes - 1; n >= 0; n--) {
			CHECK(!ftruncate(fd, n));
			refused += read_model(dir) < 0;
		}
		CHECK(pwrite(fd, data, bytes, 0) == bytes);
	}
	CHECK(refused > 500);
	CHECK_EQ(read_model(dir), 0);
}

/* --- what validation is for ------------------------------------------------------ */

/* Each breaks one thing in a good model. */
static void bad_version(struct model *model)
{
	model->inventory->img_version = 1;
}

static void bad_parent(struct model *model)
{
	model->tasks.data[1].pstree->ppid = 30;
}

static void bad_second_root(struct model *model)
{
	model->tasks.data[1].pstree->ppid = 0;
}

static void bad_tid(struct model *model)
{
	model->tasks.data[0].pstree->threads[1] = 20;
}

static void bad_state(struct model *model)
{
	model->tasks.data[1].core[0]->tc->task_state = 6;
}

static void bad_sigactions(struct model *model)
{
	model->tasks.data[0].core[0]->tc->n_sigactions = 61;
}

static void bad_caps(struct model *model)
{
	model->tasks.data[0].core[1]->thread_core->creds->n_cap_bnd = 1;
}

static void bad_seccomp(struct model *model)
{
	ThreadCoreEntry *thread = model->tasks.data[0].core[1]->thread_core;

	thread->has_seccomp_mode = true;
	thread->seccomp_mode = SECCOMP_MODE__filter;
	thread->has_seccomp_filter = true;
}

static void bad_cwd(struct model *model)
{
	model->tasks.data[1].fs->cwd_id = 5; /* a pipe */
}

static void bad_vm_id(struct model *model)
{
	model->tasks.data[1].ids->vm_id = 99;
}

static void bad_exe(struct model *model)
{
	model->tasks.data[0].mm->exe_file_id = 77;
}

static void bad_vma_order(struct model *model)
{
	model->tasks.data[0].mm->vmas[1]->start -= PAGE_BYTES;
}

static void bad_vma_align(struct model *model)
{
	model->tasks.data[0].mm->vmas[1]->end += 8;
}

static void bad_vma_kernel(struct model *model)
{
	model->tasks.data[0].mm->vmas[3]->end = 0xffff800000000000;
}

static void bad_vma_file(struct model *model)
{
	model->tasks.data[0].mm->vmas[0]->shmid = 1ULL << 32 | 2;
}

static void bad_vma_memfd(struct model *model)
{
	model->tasks.data[0].mm->vmas[3]->shmid = 2;
}

static void bad_vma_kind(struct model *model)
{
	model->tasks.data[0].mm->vmas[1]->status |= VMA_FILE_SHARED;
}

static void bad_vma_sharing(struct model *model)
{
	model->tasks.data[0].mm->vmas[2]->flags = MAP_PRIVATE;
}

static void bad_fd_twice(struct model *model)
{
	model->fdtables.data[0].fds[1]->fd = 0;
}

static void bad_fd_file(struct model *model)
{
	model->fdtables.data[0].fds[1]->id = 1000;
}

static void bad_fd_type(struct model *model)
{
	model->fdtables.data[0].fds[1]->type = FD_TYPES__PIPE;
}

static void bad_file_twice(struct model *model)
{
	model->files.data[1]->id = model->files.data[1]->reg->id = 1;
}

static void bad_file_body(struct model *model)
{
	model->files.data[4]->pipe = NULL;
}

static void bad_file_id(struct model *model)
{
	model->files.data[1]->reg->id = 1;
}

static void bad_file_name(struct model *model)
{
	model->files.data[1]->reg->name = "relative";
}

static void bad_remap_link(struct model *model)
{
	model->remaps.data[2]->remap_id = 5;
}

static void bad_remap_orig(struct model *model)
{
	model->remaps.data[0]->orig_id = 5;
}

static void bad_remap_twice(struct model *model)
{
	model->remaps.data[0]->orig_id = model->remaps.data[1]->orig_id;
}

static void bad_memfd(struct model *model)
{
	model->memfds.data[0]->inode_id = 5;
}

static void bad_tty(struct model *model)
{
	model->ttys.data[0]->id = 8;
}

static void bad_pipe_twice(struct model *model)
{
	model->pipe_data.data[1].fifo = false;
}

static void bad_unix_peer(struct model *model)
{
	unix_of(model, 51)->peer = 53;
}

static void bad_unix_one_way(struct model *model)
{
	unix_of(model, 52)->peer = 0;
}

static void bad_unix_types(struct model *model)
{
	unix_of(model, 52)->type = 5;
}

static void bad_unix_type(struct model *model)
{
	unix_of(model, 51)->type = unix_of(model, 52)->type = 3;
}

static void bad_unix_state(struct model *model)
{
	unix_of(model, 51)->state = 7;
}

static void bad_unix_name(struct model *model)
{
	unix_of(model, 51)->name.data = arena_alloc(model->arena, 110);
	unix_of(model, 51)->name.len = 110;
}

static void bad_unix_name_dir(struct model *model)
{
	unix_of(model, 51)->name_dir = arena_strdup(model->arena, "not/absolute");
}

static void bad_unix_twice(struct model *model)
{
	unix_of(model, 51)->ino = 52;
}

static void bad_sk_packet(struct model *model)
{
	model->sk_packets.data[0].entry->id_for = model->files.data[0]->id;
}

static void bad_shmem_mode(struct model *model)
{
	model->shmem_files.data[0].entry->mode = 040700;
}

static void bad_external_handle(struct model *model)
{
	model->external_objects.data[0]->handle->bytes = 17;
}

static void bad_external_holder(struct model *model)
{
	model->external_objects.data[0]->holders[0]->end = 0x1000;
}

static void bad_external_twice(struct model *model)
{
	VEC_PUSH(&model->external_objects, model->external_objects.data[0]);
}

static void bad_vma_segment(struct model *model)
{
	model->tasks.data[0].mm->vmas[4]->shmid = 6;
}

static void bad_vma_beyond_segment(struct model *model)
{
	model->tasks.data[0].mm->vmas[4]->pgoff = PAGE_BYTES;
}

static void bad_vma_segment_private(struct model *model)
{
	model->tasks.data[0].mm->vmas[4]->status ^= VMA_ANON_SHARED | VMA_ANON_PRIVATE;
	model->tasks.data[0].mm->vmas[4]->flags = MAP_PRIVATE;
}

static void bad_segment_twice(struct model *model)
{
	add_segment(model, 8);
}

static void bad_segment_id(struct model *model)
{
	model->sysv_shms.data[0]->shm->desc->id = UINT32_MAX;
}

static void bad_segment_size(struct model *model)
{
	model->sysv_shms.data[0]->shm->size = UINT64_MAX;
}

static void bad_segment_pages(struct model *model)
{
	model->sysv_shms.data[0]->shm->in_pagemaps = false;
}

static void test_refused(struct image_dir *dir)
{
#define CASE(fn)                                                                                                       \
	{                                                                                                              \
#fn, fn                                                                                                \
	}
	static const struct {
		const char *name;
		void (*spoil)(struct model *model);
	} cases[] = {
		CASE(bad_version),
		CASE(bad_parent),
		CASE(bad_second_root),
		CASE(bad_tid),
		CASE(bad_state),
		CASE(bad_sigactions),
		CASE(bad_caps),
		CASE(bad_seccomp),
		CASE(bad_cwd),
		CASE(bad_vm_id),
		CASE(bad_exe),
		CASE(bad_vma_order),
		CASE(bad_vma_align),
		CASE(bad_vma_kernel),
		CASE(bad_vma_file),
		CASE(bad_vma_memfd),
		CASE(bad_vma_kind),
		CASE(bad_vma_sharing),
		CASE(bad_fd_twice),
		CASE(bad_fd_file),
		CASE(bad_fd_type),
		CASE(bad_file_twice),
		CASE(bad_file_body),
		CASE(bad_file_id),
		CASE(bad_file_name),
		CASE(bad_remap_link),
		CASE(bad_remap_orig),
		CASE(bad_remap_twice),
		CASE(bad_memfd),
		CASE(bad_tty),
		CASE(bad_pipe_twice),
		CASE(bad_unix_peer),
		CASE(bad_unix_one_way),
		CASE(bad_unix_types),
		CASE(bad_unix_type),
		CASE(bad_unix_state),
		CASE(bad_unix_name),
		CASE(bad_unix_name_dir),
		CASE(bad_unix_twice),
		CASE(bad_sk_packet),
		CASE(bad_shmem_mode),
		CASE(bad_external_handle),
		CASE(bad_external_holder),
		CASE(bad_external_twice),
		CASE(bad_vma_segment),
		CASE(bad_vma_beyond_segment),
		CASE(bad_vma_segment_private),
		CASE(bad_segment_twice),
		CASE(bad_segment_id),
		CASE(bad_segment_size),
		CASE(bad_segment_pages),
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct model model;

		build(&model);
		cases[i].spoil(&model);
		CHECK(!image_remove_inventory(dir));
		CHECK(!image_write(dir, &model) && !image_prepare_commit(dir, &model) && !image_commit(dir->fd));
		if (!CHECK(read_model(dir) < 0))
			printf("\t%s\n", cases[i].name);
		model_free(&model);
	}
}

/* Images older than remap types: bit 31 of the id. */
static void test_old_remap(void)
{
	RemapFilePathEntry remap = REMAP_FILE_PATH_ENTRY__INIT;

	remap.remap_id = 0x80000005;
	image_normalize_remap(&remap);
	CHECK_EQ(remap.remap_type, REMAP_TYPE__GHOST);
	CHECK_EQ(remap.remap_id, 5);
	remap.has_remap_type = false;
	image_normalize_remap(&remap);
	CHECK_EQ(remap.remap_type, REMAP_TYPE__LINKED);
}

int main(void)
{
	struct image_dir dir = test_dir_open();
	struct model model;

	build(&model);
	test_old_remap();
	test_round_trip(&dir, &model);
	test_missing(&dir);
	test_damaged(&dir);
	test_refused(&dir);
	model_free(&model);
	test_dir_remove(&dir);
	return test_end();
}
