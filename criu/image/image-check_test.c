/* What validation is for: models in which one thing is broken. */
#include "image/test-model.h"

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

static void bad_memfd_huge(struct model *model)
{
	model->memfds.data[0]->has_hugetlb_flag = true;
	model->memfds.data[0]->hugetlb_flag = MFD_HUGETLB | 12 << 26;
}

static void bad_memfd_size(struct model *model)
{
	model->memfds.data[0]->has_hugetlb_flag = true;
	model->memfds.data[0]->hugetlb_flag = MFD_HUGETLB | 21 << 26;
	model->memfds.data[0]->size = 4096;
}

static void bad_vma_huge(struct model *model)
{
	model->tasks.data[0].mm->vmas[1]->flags |= MAP_HUGETLB | 21 << 26;
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

static void bad_carried_name(struct model *model)
{
	model->carried_files.data[0]->other_names[0] = (char *)"not/absolute";
}

static void bad_carried_dir(struct model *model)
{
	model->carried_dirs.data[0]->path = (char *)"";
}

static void bad_carried_dir_mode(struct model *model)
{
	model->carried_dirs.data[0]->mode = 0100700;
}

static void bad_external_handle(struct model *model)
{
	model->external_objects.data[0]->handle->bytes = 17;
}

static void bad_external_holder(struct model *model)
{
	model->external_objects.data[0]->holders[0]->end = 0x1000;
}

static void bad_external_thread(struct model *model)
{
	ExternalHolderEntry *holder = model->external_objects.data[0]->holders[0];

	holder->has_fd = holder->has_tid = true;
	holder->tid = 0;
}

/* A mapping is no thread's. */
static void bad_external_thread_map(struct model *model)
{
	ExternalHolderEntry *holder = model->external_objects.data[0]->holders[0];

	holder->has_tid = true;
	holder->tid = 5;
}

static void bad_external_description(struct model *model)
{
	ExternalHolderEntry *holder = model->external_objects.data[0]->holders[0];

	holder->has_fd = holder->has_file_id = true;
	holder->file_id = 4711;
}

static void bad_external_twice(struct model *model)
{
	VEC_PUSH(&model->external_objects, model->external_objects.data[0]);
}

static void test_refused(struct image_dir *dir)
{
	static const struct test_spoiling cases[] = {
		TEST_SPOILING(bad_version),
		TEST_SPOILING(bad_parent),
		TEST_SPOILING(bad_second_root),
		TEST_SPOILING(bad_tid),
		TEST_SPOILING(bad_state),
		TEST_SPOILING(bad_sigactions),
		TEST_SPOILING(bad_caps),
		TEST_SPOILING(bad_seccomp),
		TEST_SPOILING(bad_cwd),
		TEST_SPOILING(bad_vm_id),
		TEST_SPOILING(bad_exe),
		TEST_SPOILING(bad_vma_order),
		TEST_SPOILING(bad_vma_align),
		TEST_SPOILING(bad_vma_kernel),
		TEST_SPOILING(bad_vma_file),
		TEST_SPOILING(bad_vma_memfd),
		TEST_SPOILING(bad_vma_kind),
		TEST_SPOILING(bad_vma_huge),
		TEST_SPOILING(bad_vma_sharing),
		TEST_SPOILING(bad_fd_twice),
		TEST_SPOILING(bad_fd_file),
		TEST_SPOILING(bad_fd_type),
		TEST_SPOILING(bad_file_twice),
		TEST_SPOILING(bad_file_body),
		TEST_SPOILING(bad_file_id),
		TEST_SPOILING(bad_file_name),
		TEST_SPOILING(bad_remap_link),
		TEST_SPOILING(bad_remap_orig),
		TEST_SPOILING(bad_remap_twice),
		TEST_SPOILING(bad_memfd),
		TEST_SPOILING(bad_memfd_huge),
		TEST_SPOILING(bad_memfd_size),
		TEST_SPOILING(bad_tty),
		TEST_SPOILING(bad_pipe_twice),
		TEST_SPOILING(bad_unix_peer),
		TEST_SPOILING(bad_unix_one_way),
		TEST_SPOILING(bad_unix_types),
		TEST_SPOILING(bad_unix_type),
		TEST_SPOILING(bad_unix_state),
		TEST_SPOILING(bad_unix_name),
		TEST_SPOILING(bad_unix_name_dir),
		TEST_SPOILING(bad_unix_twice),
		TEST_SPOILING(bad_sk_packet),
		TEST_SPOILING(bad_shmem_mode),
		TEST_SPOILING(bad_carried_name),
		TEST_SPOILING(bad_carried_dir),
		TEST_SPOILING(bad_carried_dir_mode),
		TEST_SPOILING(bad_external_handle),
		TEST_SPOILING(bad_external_holder),
		TEST_SPOILING(bad_external_thread),
		TEST_SPOILING(bad_external_thread_map),
		TEST_SPOILING(bad_external_description),
		TEST_SPOILING(bad_external_twice),
	};

	test_model_refused(dir, cases, ARRAY_SIZE(cases));
}

int main(void)
{
	struct image_dir dir = test_dir_open();

	test_refused(&dir);
	test_dir_remove(&dir);
	return test_end();
}
