/* The report on a running tree: what the plan of a dump has found. */
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "checkpoint/survey.h"
#include "commands/inspect-fs.h"
#include "commands/inspect.h"
#include "mem/huge.h"

/* cachestat(2), Linux 6.5 */
#ifndef SYS_cachestat
#define SYS_cachestat 451
#endif

struct cache_range {
	uint64_t offset, bytes;
};

struct cache_counts {
	uint64_t cached, dirty, writeback, evicted, recently_evicted;
};

struct live {
	const struct survey *survey;
	struct report *report;
	uint32_t *object_of; /* by inode id; 0: not in the report */
};

/* --- tasks ------------------------------------------------------------------------ */

static const char *state_word(const struct remote_process *process)
{
	if (process->state == REMOTE_ZOMBIE)
		return "zombie";
	switch (process->stat.state) {
	case 'R':
		return "running";
	case 'D':
		return "blocked";
	case 'T':
		return "stopped";
	case 't':
		return "traced";
	default:
		return "sleeping";
	}
}

static void add_task(struct live *live, const struct remote_process *process)
{
	struct report_task *task =
		report_add_task(live->report, process->pid, process->stat.ppid, process->stat.comm, process->n_threads);

	task->state = state_word(process);
	for (size_t i = 0; i < process->n_threads; i++)
		task->threads[i] = process->threads[i].tid;
}

/* --- objects ---------------------------------------------------------------------- */

static const char *kind_word(const struct inode *inode)
{
	switch (inode->kind) {
	case INODE_ANON_SHARED:
		return "anonymous";
	case INODE_MEMFD:
		return strcmp(inode->name, HUGE_ANON_NAME) ? "memfd" : "anonymous";
	case INODE_SYSV:
		return "sysv";
	case INODE_FILE:
		return inode->unlinked || inode->remap_files.n ? "deleted-file" : "live-file";
	default:
		return "other";
	}
}

static bool is_shared_memory(const struct inode *inode)
{
	if (inode->kind == INODE_OTHER)
		return inode->fs_magic == FS_MAGIC_SECRETMEM;
	/* A message queue is no memory, with or without a name. */
	if (inode->fs_magic == FS_MAGIC_MQUEUE)
		return false;
	return inode->kind != INODE_FILE || inode->mapped_shared || inode->unlinked || inode->remap_files.n ||
	       inode->carried_names.n;
}

/*
 * Opening for reading changes nothing, except that a lease for writing is broken; but where a server answers it may take
 * for ever.
 */
static int64_t resident_bytes(const struct inode *inode)
{
	const struct cache_range whole = { 0 };
	struct cache_counts counts = { 0 };
	auto_free char *path = xasprintf("/proc/self/fd/%d", inode->fd);
	auto_fd int fd = -1;

	/* Huge pages are neither swapped nor written anywhere. */
	if (S_ISREG(inode->st.st_mode) && inode->huge_bytes)
		return (int64_t)inode->st.st_blocks * 512;
	if (!S_ISREG(inode->st.st_mode) || !fs_is_local(inode->fs_magic) || inode->leased)
		return -1;
	fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_NOATIME | O_CLOEXEC);
	if (fd < 0 || syscall(SYS_cachestat, fd, &whole, &counts, 0))
		return -1;
	return (int64_t)(counts.cached * PAGE_BYTES);
}

static const struct refusal *find_refusal(const struct refusals *refusals, uint32_t inode_id)
{
	for (size_t i = 0; i < refusals->kept.n; i++)
		if (refusals->kept.data[i].object == inode_id)
			return &refusals->kept.data[i];
	return NULL;
}

/* What is saved of a shared object, by what makes it one (shmem_is_object()). */
static const char *object_reason(const struct inode *inode)
{
	if (inode->kind == INODE_SYSV)
		return "a segment that the tree has attached: its content is written once, whoever holds it";
	if (inode->kind != INODE_FILE)
		return "memory without a path: its content is written once, whoever holds it";
	if (inode->is_lower)
		return "mapped before overlayfs copied it up: what the mappings show is written once, of any size";
	if (inode->mapped_shared)
		return "its name is gone and it is mapped shared: its content is written once, of any size";
	if (inode->shared_outside)
		return "its name is gone and processes outside have it open, too: its content is written once, of any "
		       "size";
	if (inode->was_lower)
		return "its name is gone and it shows a file from before overlayfs copied it up: its content is "
		       "written "
		       "once, of any size";
	return "its name is gone and it is memory in huge pages: its content is written once, of any size";
}

static const char *attach_reason(const struct inode *inode)
{
	if (!inode->outsiders.n)
		return "processes that /proc does not show have it attached, and it stays with them: nothing of its "
		       "content is written; restore attaches the tree to it again, as long as it exists";
	return "it stays with its holders outside: nothing of its content is written; restore attaches the tree to it "
	       "again, as long as one of them lives";
}

/* In the order in which the plan decides (remap.c, shmem.c). */
static void set_decision(const struct live *live, const struct inode *inode, struct report_object *object)
{
	const struct refusal *refusal = find_refusal(&live->survey->dump.refusals, inode->id);

	if (refusal) {
		object->decision = DECISION_REFUSED;
		object->reason = arena_strdup(live->report->arena, refusal->text);
	} else if (inode->attached) {
		object->decision = DECISION_ATTACH;
		object->reason = attach_reason(inode);
	} else if (shmem_is_object(inode)) {
		object->decision = DECISION_OBJECT;
		object->reason = object_reason(inode);
	} else if (inode->ghost_id || inode->unlinked) {
		object->decision = DECISION_GHOST;
		object->reason = "its name is gone and nobody in the tree maps it shared: a copy, within --ghost-limit";
	} else if (inode->link) {
		object->decision = DECISION_LINK;
		object->reason = "its name is gone, but it has others: a temporary link is made";
	} else if (inode->carried_names.n) {
		object->decision = DECISION_CARRIED;
		object->reason = "it has a name: restore takes the file if it is there, and else makes it from the "
				 "content that is written, too (--tmpfs-content)";
	} else {
		object->decision = DECISION_FILE;
		object->reason = "it has a name: the content stays in the file, which must be there at restore";
	}
}

static bool has_outside_holders(const struct report_object *object)
{
	for (size_t i = 0; i < object->holders.n; i++)
		if (object->holders.data[i].outside)
			return true;
	return false;
}

/* What is saved of something that those outside go on holding. */
static const char *end_of_sharing(const struct inode *inode, struct report_object *object)
{
	if (!inode->shared_outside)
		return "holders outside keep the old one, which nobody can tell, for neither side can write to it";
	object->decision = DECISION_COPY;
	return "holders outside keep the old one, and sharing ends (--external-holders copy)";
}

/* Those that did not lead to a refusal. */
static void note_outsiders(const struct live *live, const struct inode *inode, struct report_object *object)
{
	const char *note = NULL;

	if (object->decision == DECISION_OBJECT || object->decision == DECISION_GHOST)
		note = inode->outsiders.n ? end_of_sharing(inode, object) : NULL;
	else if (object->decision != DECISION_REFUSED && object->decision != DECISION_ATTACH)
		note = has_outside_holders(object) ? "holders outside keep sharing it" : NULL;
	if (note)
		object->reason = arena_printf(live->report->arena, "%s; %s", object->reason, note);
}

static void add_holders(const struct live *live, const struct inode *inode, struct report_object *object)
{
	const outside_holders *outsiders = &live->survey->outsiders;

	for (size_t i = 0; i < inode->holders.n; i++) {
		const struct inode_holder *holder = &inode->holders.data[i];

		VEC_PUSH(&object->holders, ((struct report_holder){
						   .pid = holder->pid,
						   .comm = report_comm(live->report, holder->pid),
						   .in_flight = holder->in_flight,
						   .fd = holder->fd,
						   .start = holder->start,
						   .end = holder->end,
						   .access = arena_strdup(live->report->arena, holder->access),
					   }));
	}
	for (size_t i = 0; i < outsiders->n; i++) {
		const struct outside_holder *holder = &outsiders->data[i];

		if (holder->inode != inode)
			continue;
		VEC_PUSH(&object->holders, ((struct report_holder){
						   .pid = holder->pid,
						   .comm = arena_strdup(live->report->arena, holder->comm),
						   .outside = true,
						   .fd = holder->fd,
						   .thread = holder->tid,
						   .start = holder->start,
						   .end = holder->end,
						   .access = arena_strdup(live->report->arena, holder->access),
					   }));
	}
}

static void add_object(struct live *live, const struct inode *inode)
{
	struct report_object *object = report_add_object(live->report);

	live->object_of[inode->id] = object->id;
	object->kind = kind_word(inode);
	object->name = arena_strdup(live->report->arena, inode->name);
	object->filesystem = fs_name(inode->fs_magic, live->report->arena);
	object->size_bytes = inode->st.st_size;
	object->allocated_bytes = inode->is_lower ? -1 : (int64_t)inode->st.st_blocks * 512;
	object->resident_bytes = inode->is_lower ? -1 : resident_bytes(inode);
	set_decision(live, inode, object);
	add_holders(live, inode, object);
	report_sort_holders(object);
	note_outsiders(live, inode, object);
}

/* --- the whole -------------------------------------------------------------------- */

static void fill(struct live *live)
{
	const struct dump *dump = &live->survey->dump;

	for (size_t i = 0; i < dump->tree.n; i++)
		add_task(live, dump->tree.processes[i]);
	live->object_of = arena_array(live->report->arena, uint32_t, dump->inodes.all.n + 1);
	for (size_t i = 0; i < dump->inodes.all.n; i++)
		if (is_shared_memory(dump->inodes.all.data[i]))
			add_object(live, dump->inodes.all.data[i]);
	for (size_t i = 0; i < dump->refusals.kept.n; i++) {
		const struct refusal *refusal = &dump->refusals.kept.data[i];

		report_add_refusal(live->report, refusal->text, refusal->task > 0 ? (pid_t)refusal->task : 0,
				   live->object_of[refusal->object]);
	}
}

int inspect_live(const struct options *options, const struct kernel_features *features, struct report *ret)
{
	struct survey survey;
	struct live live = { .survey = &survey, .report = ret };
	int err = survey_tree(options, features, &survey);

	ret->root = options->tree;
	if (!err)
		fill(&live);
	survey_free(&survey);
	return err;
}
