/* A checkpoint with one of everything, for unit tests of images. */
#ifndef CRIU_IMAGE_TEST_MODEL_H
#define CRIU_IMAGE_TEST_MODEL_H

#include <string.h>
#include <sys/mman.h>

#include "arch.h"
#include "image/test-dir.h"
#include "image/vma-status.h"

static inline FownEntry *fown_new(struct model *model)
{
	return model_new(model, FownEntry, fown_entry__init);
}

static inline uint32_t add_reg(struct model *model, const char *name)
{
	FileEntry *file = model_add_file(model, FD_TYPES__REG);

	file->reg = model_new(model, RegFileEntry, reg_file_entry__init);
	file->reg->id = file->id;
	file->reg->fown = fown_new(model);
	file->reg->name = arena_strdup(model->arena, name);
	return file->id;
}

static inline void add_pipe(struct model *model, bool fifo, uint32_t regf_id)
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

static inline UnixSkEntry *add_unix(struct model *model, uint32_t ino, uint32_t peer)
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

static inline void add_unix_pair(struct model *model)
{
	struct sk_packet_image *packet = VEC_ADD(&model->sk_packets);

	add_unix(model, 51, 52);
	packet->entry = model_new(model, SkPacketEntry, sk_packet_entry__init);
	packet->entry->id_for = add_unix(model, 52, 51)->id;
	packet->entry->length = 6;
	packet->bytes = arena_strdup(model->arena, "queued");
}

static inline UnixSkEntry *unix_of(struct model *model, uint32_t ino)
{
	for (size_t i = 0; i < model->files.n; i++)
		if (model->files.data[i]->usk && model->files.data[i]->usk->ino == ino)
			return model->files.data[i]->usk;
	return NULL;
}

static inline uint32_t add_memfd(struct model *model)
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

static inline void add_tty(struct model *model)
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

static inline void add_lock(struct model *model, int32_t pid, int32_t fd)
{
	FileLockEntry *lock = model_new(model, FileLockEntry, file_lock_entry__init);

	lock->flag = FILE_LOCK_POSIX;
	lock->pid = pid;
	lock->fd = fd;
	lock->start = 7;
	lock->len = 9;
	VEC_PUSH(&model->file_locks, lock);
}

static inline void add_remap(struct model *model, uint32_t orig_id, RemapType type, uint32_t remap_id)
{
	RemapFilePathEntry *remap = model_new(model, RemapFilePathEntry, remap_file_path_entry__init);

	remap->orig_id = orig_id;
	remap->has_remap_type = true;
	remap->remap_type = type;
	remap->remap_id = remap_id;
	VEC_PUSH(&model->remaps, remap);
}

static inline void add_shmem_file(struct model *model, uint32_t id)
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

static inline void add_carried(struct model *model, uint32_t id)
{
	CarriedFileEntry *carried = model_new(model, CarriedFileEntry, carried_file_entry__init);
	CarriedDirEntry *dir = model_new(model, CarriedDirEntry, carried_dir_entry__init);

	carried->id = id;
	carried->file = model->shmem_files.data[0].entry;
	carried->boot_id = arena_strdup(model->arena, "one");
	carried->n_other_names = 1;
	carried->other_names = arena_array(model->arena, char *, 1);
	carried->other_names[0] = arena_strdup(model->arena, "/dev/shm/d/other");
	VEC_PUSH(&model->carried_files, carried);
	dir->path = arena_strdup(model->arena, "/dev/shm/d");
	dir->mode = 0040700;
	dir->n_xattrs = 1;
	dir->xattrs = carried->file->xattrs;
	VEC_PUSH(&model->carried_dirs, dir);
}

static inline void add_external_object(struct model *model, uint64_t id)
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

static inline SysvSemEntry *add_set(struct model *model, uint32_t id)
{
	SysvSemEntry *set = model_new(model, SysvSemEntry, sysv_sem_entry__init);
	SysvSemAdjustEntry *adjust = model_new(model, SysvSemAdjustEntry, sysv_sem_adjust_entry__init);

	set->sem = model_new(model, IpcSemEntry, ipc_sem_entry__init);
	set->sem->desc = model_new(model, IpcDescEntry, ipc_desc_entry__init);
	set->sem->desc->id = id;
	set->sem->nsems = set->n_values = set->n_pids = 2;
	set->values = arena_array(model->arena, uint32_t, 2);
	set->pids = arena_array(model->arena, uint32_t, 2);
	set->n_adjusts = 1;
	set->adjusts = arena_array(model->arena, SysvSemAdjustEntry *, 2);
	set->adjusts[0] = set->adjusts[1] = adjust;
	adjust->pid = 10;
	adjust->num = 1;
	adjust->adjust = -32768;
	VEC_PUSH(&model->sysv_sems, set);
	return set;
}

static inline SysvMsgEntry *add_queue(struct model *model)
{
	SysvMsgEntry *entry = model_new(model, SysvMsgEntry, sysv_msg_entry__init);
	SysvMessageEntry *message = model_new(model, SysvMessageEntry, sysv_message_entry__init);

	entry->queue = model_new(model, IpcMsgEntry, ipc_msg_entry__init);
	entry->queue->desc = model_new(model, IpcDescEntry, ipc_desc_entry__init);
	entry->queue->qnum = entry->n_messages = 1;
	entry->messages = arena_array(model->arena, SysvMessageEntry *, 1);
	entry->messages[0] = message;
	message->msg = model_new(model, IpcMsg, ipc_msg__init);
	message->msg->mtype = 1;
	message->msg->msize = message->text.len = 5;
	message->text.data = (uint8_t *)arena_strdup(model->arena, "hello");
	VEC_PUSH(&model->sysv_msgs, entry);
	return entry;
}

/* Unlinked, with a message. */
static inline MqueueEntry *add_mqueue(struct model *model, uint32_t id)
{
	FileEntry *file = model_add_file(model, FD_TYPES__MQUEUE);
	MqueueEntry *queue = model_new(model, MqueueEntry, mqueue_entry__init);
	MqueueDataEntry *data = model_new(model, MqueueDataEntry, mqueue_data_entry__init);
	MqueueMessageEntry *message = model_new(model, MqueueMessageEntry, mqueue_message_entry__init);

	file->mqueue = model_new(model, MqueueFileEntry, mqueue_file_entry__init);
	file->mqueue->id = file->id;
	file->mqueue->queue_id = queue->id = data->queue_id = id;
	file->mqueue->fown = fown_new(model);
	queue->name = arena_strdup(model->arena, "queue");
	queue->unlinked = true;
	queue->maxmsg = queue->curmsgs = 1;
	queue->msgsize = message->text.len = 5;
	queue->mode = 0600;
	message->priority = 32767;
	message->text.data = (uint8_t *)arena_strdup(model->arena, "hello");
	data->messages = arena_array(model->arena, MqueueMessageEntry *, 1);
	data->messages[data->n_messages++] = message;
	VEC_PUSH(&model->mqueues, queue);
	VEC_PUSH(&model->mqueue_data, data);
	return queue;
}

static inline void add_segment(struct model *model, uint64_t shmid)
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

static inline CoreEntry *new_core(struct model *model, bool leader, uint32_t state)
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

static inline VmaEntry *new_vma(struct model *model, uint64_t page, uint32_t status, uint32_t flags, uint64_t shmid)
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

static inline MmEntry *new_mm(struct model *model, uint32_t exe, uint32_t memfd)
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

static inline void add_task(struct model *model, uint32_t pid, uint32_t ppid, uint32_t n_threads, uint32_t state)
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

static inline void add_fds(struct model *model, uint32_t files_id)
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

static inline void test_model_write_ghost(struct image_dir *dir)
{
	GhostFileEntry ghost = GHOST_FILE_ENTRY__INIT;
	struct image_writer *writer;

	ghost.mode = 0100644;
	CHECK(!image_create(dir, IMAGE_GHOST_FILE, 1, &writer));
	CHECK(!image_write_entry(writer, &ghost.base));
	CHECK(!image_write_raw(writer, "content", 7));
	CHECK(!image_finish(writer));
}

static inline void test_model_build(struct model *model)
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
	add_carried(model, 6);
	add_external_object(model, 6);
	add_segment(model, 7);
	add_set(model, 4);
	add_queue(model);
	add_mqueue(model, 40);
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

/* The images of @dir as a model: 0, or why they are none. */
static inline int test_model_read(struct image_dir *dir)
{
	struct model model;
	int err;

	model_init(&model);
	err = image_read(dir, &model);
	model_free(&model);
	return err;
}

/* What breaks one thing in a good model. */
struct test_spoiling {
	const char *name;
	void (*spoil)(struct model *model);
};

#define TEST_SPOILING(fn)                                                                                              \
	{                                                                                                              \
#fn, fn                                                                                                \
	}

/* Each of the @n is noticed when the images are read. */
static inline void test_model_refused(struct image_dir *dir, const struct test_spoiling *cases, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct model model;

		test_model_build(&model);
		cases[i].spoil(&model);
		CHECK(!image_remove_inventory(dir));
		CHECK(!image_write(dir, &model) && !image_prepare_commit(dir, &model) && !image_commit(dir->fd));
		if (!CHECK(test_model_read(dir) < 0))
			printf("\t%s\n", cases[i].name);
		model_free(&model);
	}
}

#endif
