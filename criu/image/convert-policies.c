/*
 * NUMA memory policies, which mainline does not restore: those of mappings and threads stay in the images, where it
 * passes over them; those of shared objects that become ghost files go with their page maps. A warning names
 * who has one.
 */
#include "image/convert.h"
#include "image/mempolicy.h"
#include "image/pages.h"
#include "image/vma-status.h"
#include "util/hash.h"
#include "util/log.h"

struct search {
	const struct image_dir *dir;
	struct arena *arena;
	struct hash seen; /* numbers of objects */
};

static void warn(const char *what, const MempolicyEntry *first, size_t n)
{
	char text[NUMA_TEXT_BYTES];
	struct numa_policy policy;

	if (!n)
		return;
	mempolicy_of_entry(first, &policy);
	if (n == 1)
		pr_warn("%s: mainline does not restore its NUMA memory policy (%s)", what, numa_text(&policy, text));
	else
		pr_warn("%s: mainline does not restore its %zu NUMA memory policies (the first: %s)", what, n,
			numa_text(&policy, text));
}

static void warn_of_threads(const struct task_image *task)
{
	for (size_t i = 0; i < task->n_core; i++) {
		const ThreadCoreEntry *thread = task->core[i]->thread_core;
		const MempolicyEntry *policy = thread && thread->extra ? thread->extra->mempolicy : NULL;

		LOG_SCOPE("thread", task->pstree->threads[i]);
		warn("set_mempolicy(2)", policy, policy != NULL);
	}
}

static void warn_of_mappings(const struct task_image *task)
{
	const VmaEntry *first = NULL;
	size_t n = 0;

	for (size_t i = 0; task->mm && i < task->mm->n_vmas; i++)
		if (task->mm->vmas[i]->policy && !n++)
			first = task->mm->vmas[i];
	if (!first)
		return;
	LOG_SCOPE_HEX(n == 1 ? "mapping" : "mappings from", first->start);
	warn("mbind(2)", first->policy, n);
}

static int warn_of_object(struct search *search, uint64_t id, const char *name)
{
	struct pagemap map;
	int err;

	if (hash_put(&search->seen, id, 0, search))
		return 0;
	err = pagemap_read(search->dir, IMAGE_PAGEMAP_SHMEM, id, search->arena, &map);
	if (err)
		return err;
	warn(name, map.n_policies ? map.policies[0]->policy : NULL, map.n_policies);
	pagemap_close(&map);
	return 0;
}

static int warn_of_anonymous(struct search *search, const struct task_image *task)
{
	int err = 0;

	for (size_t i = 0; task->mm && i < task->mm->n_vmas && !err; i++) {
		const VmaEntry *vma = task->mm->vmas[i];

		LOG_SCOPE_HEX("mapping", vma->start);
		if (vma->status & VMA_ANON_SHARED && !(vma->status & VMA_AREA_AIORING))
			err = warn_of_object(search, vma->shmid, "anonymous shared memory");
	}
	return err;
}

static int warn_of_all(struct search *search, const struct model *model)
{
	int err = 0;

	for (size_t i = 0; i < model->shmem_files.n && !err; i++)
		err = warn_of_object(search, model->shmem_files.data[i].id, model->shmem_files.data[i].entry->names[0]);
	for (size_t i = 0; i < model->carried_files.n && !err; i++)
		err = warn_of_object(search, model->carried_files.data[i]->id,
				     model->carried_files.data[i]->file->names[0]);
	for (size_t i = 0; i < model->memfds.n && !err; i++) {
		auto_free char *name = xasprintf("memfd %s", model->memfds.data[i]->name);

		err = warn_of_object(search, model->memfds.data[i]->shmid, name);
	}
	for (size_t i = 0; i < model->tasks.n && !err; i++) {
		const struct task_image *task = &model->tasks.data[i];

		LOG_SCOPE("task", task->pstree->pid);
		warn_of_threads(task);
		warn_of_mappings(task);
		err = warn_of_anonymous(search, task);
	}
	return err;
}

int convert_warn_policies(const struct image_dir *dir, const struct model *model)
{
	struct search search = { .dir = dir, .arena = arena_new() };
	int err = warn_of_all(&search, model);

	hash_free(&search.seen);
	arena_free(search.arena);
	return err;
}
