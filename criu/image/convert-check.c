/*
 * What mainline has no notion of. Fields of ours have numbers from 1000 on in every message, so that they are found
 * here without a list to be kept up to date; the few that can't be left out with a warning have functions of their own.
 */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "image/convert.h"
#include "image/image-check.h"
#include "image/vma-status.h"
#include "util/log.h"

#define OWN_FIELDS 1000 /* first number */

static void refuse_unsaved(const struct model *model, struct refusals *refusals)
{
	for (size_t i = 0; i < model->external_objects.n; i++) {
		const ExternalObjectEntry *entry = model->external_objects.data[i];

		if (!entry->saved)
			refuse(refusals,
			       "%s %s: its content is not in the images but was left to processes outside the tree "
			       "(dumped with --external-holders attach)",
			       entry->kind, entry->name);
		else
			pr_warn("%s %s: mainline does not know of its holders outside the tree: sharing ends",
				entry->kind, entry->name);
	}
}

/* Mainline keeps segments with an IPC namespace of the tree's own only. */
static void refuse_segments(const struct model *model, struct refusals *refusals)
{
	for (size_t i = 0; i < model->sysv_shms.n; i++)
		refuse(refusals, "System V segment %u of criu's IPC namespace: mainline has no image for it",
		       model->sysv_shms.data[i]->shm->desc->id);
}

static void refuse_mqueues(const struct model *model, struct refusals *refusals)
{
	for (size_t i = 0; i < model->mqueues.n; i++)
		refuse(refusals, "POSIX message queue /%s: mainline has no image for it", model->mqueues.data[i]->name);
}

static void warn_of_carried(const struct model *model)
{
	for (size_t i = 0; i < model->carried_files.n; i++)
		pr_warn("%s: mainline does not make it again from these images (--tmpfs-content), should it be gone",
			model->carried_files.data[i]->file->names[0]);
}

/* They can't be written, which is how mainline makes ghost files. */
static void refuse_huge(const struct model *model, struct refusals *refusals)
{
	for (size_t i = 0; i < model->shmem_files.n; i++) {
		const ShmemFileEntry *file = model->shmem_files.data[i].entry;

		if (file->has_huge_page_bytes)
			refuse(refusals, "%s: deleted file of huge pages: mainline can't make it again",
			       file->names[0]);
	}
}

/* The sets and queues themselves stay where they are without mainline's doing anything. */
static void refuse_adjustments(const struct model *model, struct refusals *refusals)
{
	for (size_t i = 0; i < model->sysv_sems.n; i++) {
		const SysvSemEntry *set = model->sysv_sems.data[i];

		for (size_t a = 0; a < set->n_adjusts; a++)
			refuse(refusals,
			       "task %u: the end of it adds %d to semaphore %u of System V set %u (SEM_UNDO), which "
			       "mainline "
			       "does not restore",
			       set->adjusts[a]->pid, set->adjusts[a]->adjust, set->adjusts[a]->num, set->sem->desc->id);
		pr_warn("mainline does not restore System V semaphore set %u, should it be gone", set->sem->desc->id);
	}
	for (size_t i = 0; i < model->sysv_msgs.n; i++)
		pr_warn("mainline does not restore System V message queue %u, should it be gone",
			model->sysv_msgs.data[i]->queue->desc->id);
}

/* They stay in the images, for this criu. */
static void warn_of_xattrs(const char *what, uint64_t id, const char *name, ShmemFileXattr *const *xattrs, size_t n)
{
	for (size_t i = 0; i < n; i++)
		pr_warn("%s %llu (%s): mainline does not restore extended attribute %s", what, (unsigned long long)id,
			name, xattrs[i]->name);
}

/* As one of its holders knows it. */
static const char *ghost_path(const struct model *model, uint32_t id)
{
	for (size_t i = 0; i < model->remaps.n; i++) {
		const RemapFilePathEntry *remap = model->remaps.data[i];
		const FileEntry *file = model_file(model, remap->orig_id);

		if (remap->remap_type == REMAP_TYPE__GHOST && remap->remap_id == id && file && file->reg)
			return file->reg->name;
	}
	return "no name";
}

static void warn_of_attributes(const struct model *model)
{
	for (size_t i = 0; i < model->shmem_files.n; i++) {
		const struct shmem_file_image *file = &model->shmem_files.data[i];

		warn_of_xattrs("shared object", file->id, file->entry->names[0], file->entry->xattrs,
			       file->entry->n_xattrs);
	}
	for (size_t i = 0; i < model->ghosts.n; i++) {
		const struct ghost_image *ghost = &model->ghosts.data[i];

		warn_of_xattrs("ghost file", ghost->id, ghost_path(model, ghost->id), ghost->entry->xattrs,
			       ghost->entry->n_xattrs);
	}
	for (size_t i = 0; i < model->memfds.n; i++) {
		const MemfdInodeEntry *memfd = model->memfds.data[i];

		warn_of_xattrs("memfd", memfd->inode_id, memfd->name, memfd->xattrs, memfd->n_xattrs);
	}
}

static void refuse_packets(const struct model *model, struct refusals *refusals)
{
	for (size_t i = 0; i < model->pipe_data.n; i++) {
		const PipeDataEntry *entry = model->pipe_data.data[i].entry;

		if (entry->n_stretches)
			refuse(refusals,
			       "pipe %u: its content is in packets (O_DIRECT), which mainline would put together",
			       entry->pipe_id);
	}
}

static bool is_at_its_number(const struct model *model, uint32_t epoll_id, const EventpollTfdEntry *watched)
{
	for (size_t i = 0; i < model->fdtables.n; i++)
		if (fdtable_has_file(&model->fdtables.data[i], epoll_id) &&
		    fdtable_file(&model->fdtables.data[i], watched->tfd) == watched->id)
			return true;
	return false;
}

/* Mainline adds to an epoll instance what has the number now; we know which file it was. */
static void refuse_moved_targets(const struct model *model, struct refusals *refusals)
{
	for (size_t i = 0; i < model->files.n; i++) {
		const FileEntry *file = model->files.data[i];

		for (size_t n = 0; file->epfd && n < file->epfd->n_tfd; n++)
			if (!is_at_its_number(model, file->id, file->epfd->tfd[n]))
				refuse(refusals,
				       "epoll instance %u: it watches file %u under number %u, where it is not any "
				       "more",
				       file->id, file->epfd->tfd[n]->id, file->epfd->tfd[n]->tfd);
	}
}

/* --- fields that mainline passes over ------------------------------------------ */

struct own_fields {
	struct hash counts; /* field descriptor -> struct own_field */
	VEC(struct own_field *) fields;
};

struct own_field {
	const char *message, *name;
	size_t n;
};

static void count(struct own_fields *own, uintptr_t key, const char *message, const char *name)
{
	struct own_field *field = hash_get(&own->counts, key, 0);

	if (!field) {
		field = xalloc(sizeof(*field));
		field->message = message;
		field->name = name;
		hash_put(&own->counts, key, 0, field);
		VEC_PUSH(&own->fields, field);
	}
	field->n++;
}

/* How often @field is there. */
static size_t field_count(const ProtobufCMessage *msg, const ProtobufCFieldDescriptor *field)
{
	const char *at = (const char *)msg + field->offset, *quantifier = (const char *)msg + field->quantifier_offset;

	if (field->label == PROTOBUF_C_LABEL_REPEATED)
		return *(const size_t *)quantifier;
	if (field->label == PROTOBUF_C_LABEL_REQUIRED)
		return 1;
	if (field->type == PROTOBUF_C_TYPE_MESSAGE || field->type == PROTOBUF_C_TYPE_STRING)
		return *(const void *const *)at != NULL;
	return *(const protobuf_c_boolean *)quantifier;
}

static const ProtobufCMessage *field_message(const ProtobufCMessage *msg, const ProtobufCFieldDescriptor *field,
					     size_t i)
{
	const char *at = (const char *)msg + field->offset;

	if (field->label == PROTOBUF_C_LABEL_REPEATED)
		return (*(ProtobufCMessage *const *const *)at)[i];
	return *(const ProtobufCMessage *const *)at;
}

/* @ours: the message itself is one, so each of its fields counts. */
static void find_own(struct own_fields *own, const ProtobufCMessage *msg, bool ours)
{
	const ProtobufCMessageDescriptor *type = msg->descriptor;

	for (unsigned int f = 0; f < type->n_fields; f++) {
		const ProtobufCFieldDescriptor *field = &type->fields[f];
		bool is_own = ours || field->id >= OWN_FIELDS;
		size_t n = field_count(msg, field);

		/* Named one by one, by convert_warn_policies() and warn_of_xattrs(). */
		if (field->descriptor == &mempolicy_entry__descriptor ||
		    field->descriptor == &shmem_file_xattr__descriptor)
			continue;
		if (field->type == PROTOBUF_C_TYPE_MESSAGE && !ours &&
		    field->descriptor != &shmem_file_time__descriptor)
			for (size_t i = 0; i < n; i++)
				find_own(own, field_message(msg, field, i), is_own);
		else if (is_own && n)
			count(own, (uintptr_t)field, type->name, field->name);
	}
}

static void find_own_of_task(struct own_fields *own, const struct task_image *task)
{
	static const char name[] = "MLOCK_ONFAULT", sync[] = "MAP_SYNC";

	for (size_t i = 0; i < task->n_core; i++)
		find_own(own, &task->core[i]->base, false);
	if (!task->mm)
		return;
	find_own(own, &task->mm->base, false);
	for (size_t i = 0; i < task->mm->n_vmas; i++) {
		if (task->mm->vmas[i]->status & VMA_LOCKED_ONFAULT)
			count(own, (uintptr_t)name, "vma_entry", name);
		if (task->mm->vmas[i]->flags & MAP_SYNC)
			count(own, (uintptr_t)sync, "vma_entry", sync);
	}
}

static void warn_of_own(const struct model *model)
{
	struct own_fields own = { 0 };

	for (size_t i = 0; i < model->tasks.n; i++)
		find_own_of_task(&own, &model->tasks.data[i]);
	for (size_t i = 0; i < model->files.n; i++)
		find_own(&own, &model->files.data[i]->base, false);
	for (size_t i = 0; i < model->memfds.n; i++)
		find_own(&own, &model->memfds.data[i]->base, false);
	for (size_t i = 0; i < model->ghosts.n; i++)
		find_own(&own, &model->ghosts.data[i].entry->base, false);
	for (size_t i = 0; i < model->sk_packets.n; i++)
		find_own(&own, &model->sk_packets.data[i].entry->base, false);
	for (size_t i = 0; i < model->ttys.n; i++)
		find_own(&own, &model->ttys.data[i]->base, false);
	for (size_t i = 0; i < model->tty_data.n; i++)
		find_own(&own, &model->tty_data.data[i]->base, false);
	for (size_t i = 0; i < own.fields.n; i++) {
		pr_warn("mainline does not restore %s (%s), which is in these images %zu times",
			own.fields.data[i]->name, own.fields.data[i]->message, own.fields.data[i]->n);
		free(own.fields.data[i]);
	}
	VEC_FREE(&own.fields);
	hash_free(&own.counts);
}

void convert_check(const struct model *model, struct refusals *refusals)
{
	refuse_unsaved(model, refusals);
	refuse_packets(model, refusals);
	refuse_mqueues(model, refusals);
	refuse_segments(model, refusals);
	refuse_huge(model, refusals);
	refuse_adjustments(model, refusals);
	refuse_moved_targets(model, refusals);
	warn_of_carried(model);
	warn_of_attributes(model);
	warn_of_own(model);
}
