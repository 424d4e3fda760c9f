/*
 * Descriptors of namespaces, opened from /proc/PID/ns (namespaces(7)).
 *
 * The kernel keeps: the namespace, status flags. The tree is in criu's namespaces, so a
 * descriptor of one of those is opened anew from criu's own directory; then it is of the
 * namespace the tree is in now, whose inode is another one after a reboot.
 * Descriptors of other namespaces are refused: nobody who is saved lives there. Lost: nothing.
 */
#include <inttypes.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "files/files-internal.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80
#endif

static const struct namespace
{
	const char *name; /* in /proc/PID/ns, and of the link */
	uint32_t cflag;
	size_t id; /* of those in the inventory */
}
namespaces[] = {
	{ "pid", CLONE_NEWPID, offsetof(TaskKobjIdsEntry, pid_ns_id) },
	{ "net", CLONE_NEWNET, offsetof(TaskKobjIdsEntry, net_ns_id) },
	{ "ipc", CLONE_NEWIPC, offsetof(TaskKobjIdsEntry, ipc_ns_id) },
	{ "uts", CLONE_NEWUTS, offsetof(TaskKobjIdsEntry, uts_ns_id) },
	{ "mnt", CLONE_NEWNS, offsetof(TaskKobjIdsEntry, mnt_ns_id) },
	{ "user", CLONE_NEWUSER, offsetof(TaskKobjIdsEntry, user_ns_id) },
	{ "cgroup", CLONE_NEWCGROUP, offsetof(TaskKobjIdsEntry, cgroup_ns_id) },
	{ "time", CLONE_NEWTIME, offsetof(TaskKobjIdsEntry, time_ns_id) },
};

static uint32_t id_of(const struct namespace *ns, const TaskKobjIdsEntry *ids)
{
	return *(const uint32_t *)((const char *)ids + ns->id);
}

static void own_path(const struct namespace *ns, char path[32])
{
	snprintf(path, 32, "/proc/self/ns/%s", ns->name);
}

/* "net:[4026531840]" */
static const struct namespace *of_link(const char *link)
{
	for (size_t i = 0; i < ARRAY_SIZE(namespaces); i++) {
		size_t len = strlen(namespaces[i].name);

		if (!strncmp(link, namespaces[i].name, len) && !strncmp(link + len, ":[", 2))
			return &namespaces[i];
	}
	return NULL;
}

static const struct namespace *of_cflag(uint32_t cflag)
{
	for (size_t i = 0; i < ARRAY_SIZE(namespaces); i++)
		if (namespaces[i].cflag == cflag)
			return &namespaces[i];
	return NULL;
}

static bool ns_match(const struct file_desc *desc)
{
	return S_ISREG(desc->st.st_mode) && of_link(desc->link);
}

static int ns_plan(struct files_dump *ctx, struct file_desc *desc)
{
	const struct namespace *ns = of_link(desc->link);
	NsFileEntry *nsf = model_new(ctx->model, NsFileEntry, ns_file_entry__init);
	char path[32];
	struct stat own;

	desc->entry->nsf = nsf;
	nsf->id = desc->entry->id;
	nsf->ns_id = id_of(ns, ctx->model->inventory->root_ids);
	nsf->ns_cflag = ns->cflag;
	nsf->flags = desc->info.flags & ~FILE_FLAGS_NEVER;
	own_path(ns, path);
	if (stat(path, &own))
		return fail_errno("%s: stat", path);
	if (own.st_dev != desc->st.st_dev || own.st_ino != desc->st.st_ino)
		refuse(ctx->refusals,
		       "%s: file of a %s namespace that is not criu's and the tree's: not supported; close it before "
		       "the "
		       "dump",
		       desc->link, ns->name);
	return 0;
}

static int ns_validate(const struct model *model, const FileEntry *entry)
{
	const NsFileEntry *nsf = entry->nsf;
	const struct namespace *ns = nsf ? of_cflag(nsf->ns_cflag) : NULL;

	if (!ns || nsf->id != entry->id)
		return fail(EINVAL, "namespace file without its entry, or of an unknown namespace");
	if (!model->inventory || !model->inventory->root_ids || nsf->ns_id != id_of(ns, model->inventory->root_ids))
		return fail(ENOTSUP, "file of %s namespace %" PRIu32 ", which is not that of the root task", ns->name,
			    nsf->ns_id);
	return 0;
}

static int ns_make(struct files_restore *ctx, const FileEntry *entry, struct made_file *ret)
{
	char path[32];
	int fd;

	own_path(of_cflag(entry->nsf->ns_cflag), path);
	fd = open(path, (file_open_flags(entry->nsf->flags) & ~O_NOFOLLOW) | O_CLOEXEC);
	if (fd < 0)
		return fail_errno("cannot open %s", path);
	ret->fd = fd;
	return 0;
}

const struct file_kind ns_kind = {
	.type = FD_TYPES__NS,
	.name = "namespace file",
	.match = ns_match,
	.plan = ns_plan,
	.validate = ns_validate,
	.make = ns_make,
};
