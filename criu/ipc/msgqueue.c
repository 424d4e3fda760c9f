/*
 * What the kernel keeps of a queue: id, key, creator, owner, mode, how many bytes it may hold, the messages, who sent and who received last,
 * three times. msgctl(2) shows all of that but the messages; msgrcv(2) with MSG_COPY reads one by its place and leaves it
 * there. The times can't be set; the last sender and the last receiver are whoever does it, which a child of that process number can.
 *
 * Others may send and receive meanwhile. Two copies that are the same are taken for what was there; a queue that does not rest long enough is
 * recorded without messages, and then has to be there at restore.
 */
#include <errno.h>
#include <string.h>
#include <sys/msg.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ipc/msgqueue.h"
#include "kernel/proc.h"
#include "kernel/syscalls.h"
#include "kernel/sysvipc.h"
#include "util/log.h"

#ifndef MSG_STAT_ANY
#define MSG_STAT_ANY 13
#endif

#define TRIES 20

/* --- messages ------------------------------------------------------------------------ */

/* In msgsnd(2) and msgrcv(2), without the text. */
struct buffer {
	long mtype;
	char text[];
};

struct message {
	long mtype;
	size_t bytes;
	char *text; /* owned */
};

typedef VEC(struct message) message_list;

static void messages_free(message_list *messages)
{
	for (size_t i = 0; i < messages->n; i++)
		free(messages->data[i].text);
	VEC_FREE(messages);
}

/* All of them, by their places. -ENOMSG: fewer; anything else: can't be had. */
static int copy_messages(int id, const struct msqid_ds *ds, message_list *ret)
{
	auto_free struct buffer *buffer = xalloc(sizeof(*buffer) + ds->__msg_cbytes);

	for (msgqnum_t i = 0; i < ds->msg_qnum; i++) {
		ssize_t n = msgrcv(id, buffer, ds->__msg_cbytes, (long)i, IPC_NOWAIT | MSG_COPY);
		struct message *message;

		if (n < 0)
			return -errno;
		message = VEC_ADD(ret);
		message->mtype = buffer->mtype;
		message->bytes = (size_t)n;
		message->text = xalloc((size_t)n + 1);
		memcpy(message->text, buffer->text, (size_t)n);
	}
	return 0;
}

static bool are_same(const message_list *a, const message_list *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (a->data[i].mtype != b->data[i].mtype || a->data[i].bytes != b->data[i].bytes ||
		    memcmp(a->data[i].text, b->data[i].text, a->data[i].bytes))
			return false;
	return true;
}

/* The queue as it was at one moment: *ret_ds and its messages. -EBUSY: it never rests. */
static int read_messages(int id, struct msqid_ds *ret_ds, message_list *ret)
{
	bool rests = false;
	int err = 0;

	for (int try = 0; try < TRIES && !rests; try++) {
		message_list second = { 0 };
		struct msqid_ds after;

		messages_free(ret);
		err = msgctl(id, IPC_STAT, ret_ds) ? -errno : copy_messages(id, ret_ds, ret);
		if (!err)
			err = msgctl(id, IPC_STAT, &after) ? -errno : copy_messages(id, &after, &second);
		rests = !err && are_same(ret, &second);
		messages_free(&second);
		if (err && err != -ENOMSG && err != -E2BIG)
			return err;
	}
	return rests ? 0 : -EBUSY;
}

/* --- dump ------------------------------------------------------------------------------ */

static IpcMsgEntry *new_queue(int id, const struct msqid_ds *ds, struct model *model)
{
	IpcMsgEntry *queue = model_new(model, IpcMsgEntry, ipc_msg_entry__init);

	queue->desc = model_new(model, IpcDescEntry, ipc_desc_entry__init);
	queue->desc->key = (uint32_t)ds->msg_perm.__key;
	queue->desc->uid = ds->msg_perm.uid;
	queue->desc->gid = ds->msg_perm.gid;
	queue->desc->cuid = ds->msg_perm.cuid;
	queue->desc->cgid = ds->msg_perm.cgid;
	queue->desc->mode = ds->msg_perm.mode;
	queue->desc->id = (uint32_t)id;
	queue->qbytes = (uint32_t)ds->msg_qbytes;
	queue->qnum = (uint32_t)ds->msg_qnum;
	return queue;
}

static void add_messages(SysvMsgEntry *entry, const message_list *messages, struct model *model)
{
	entry->messages = arena_array(model->arena, SysvMessageEntry *, messages->n);
	for (size_t i = 0; i < messages->n; i++) {
		SysvMessageEntry *message = model_new(model, SysvMessageEntry, sysv_message_entry__init);

		message->msg = model_new(model, IpcMsg, ipc_msg__init);
		message->msg->mtype = (uint64_t)messages->data[i].mtype;
		message->msg->msize = (uint32_t)messages->data[i].bytes;
		message->text.len = messages->data[i].bytes;
		message->text.data = arena_memdup(model->arena, messages->data[i].text, messages->data[i].bytes);
		entry->messages[entry->n_messages++] = message;
	}
}

static int dump_queue(int id, struct model *model)
{
	SysvMsgEntry *entry;
	char boot_id[PROC_BOOT_ID_BYTES];
	message_list messages = { 0 };
	struct msqid_ds ds;
	int err = read_messages(id, &ds, &messages);

	if (err == -EINVAL || err == -EIDRM) {
		messages_free(&messages);
		return 0;
	}
	if (err && msgctl(id, MSG_STAT_ANY, &ds) < 0)
		return fail(-err, "System V message queue %d: read it", id);
	entry = model_new(model, SysvMsgEntry, sysv_msg_entry__init);
	entry->queue = new_queue(id, &ds, model);
	entry->has_unsaved = entry->unsaved = err != 0;
	if (err)
		pr_warn("System V message queue %d: its messages can't be copied (%s); it has to be there at restore",
			id, err == -EBUSY ? "others use it all the time" : strerror(-err));
	else
		add_messages(entry, &messages, model);
	messages_free(&messages);
	entry->ctime = ds.msg_ctime;
	entry->lspid = (uint32_t)ds.msg_lspid;
	entry->lrpid = (uint32_t)ds.msg_lrpid;
	if (proc_read_boot_id(boot_id))
		entry->boot_id = arena_strdup(model->arena, boot_id);
	VEC_PUSH(&model->sysv_msgs, entry);
	return 0;
}

static bool is_task(const struct model *model, pid_t pid)
{
	return pid > 0 && model_task(model, (uint32_t)pid);
}

static bool is_awaited(const msgqueue_ids *awaited, int id)
{
	for (size_t i = 0; i < awaited->n; i++)
		if (awaited->data[i] == id)
			return true;
	return false;
}

int msgqueues_dump(const msgqueue_ids *awaited, struct model *model)
{
	struct msginfo info;
	int err = 0, last = msgctl(0, MSG_INFO, (struct msqid_ds *)&info);

	if (last < 0)
		return errno == ENOSYS ? 0 : fail_errno("list the System V message queues");
	for (int i = 0; i <= last && !err; i++) {
		struct msqid_ds ds;
		int id = msgctl(i, MSG_STAT_ANY, &ds);

		if (id >= 0 &&
		    (is_task(model, ds.msg_lspid) || is_task(model, ds.msg_lrpid) || is_awaited(awaited, id)))
			err = dump_queue(id, model);
	}
	return err;
}

/* --- what is there ------------------------------------------------------------------ */

enum found {
	FOUND_NOTHING, /* the id is free */
	FOUND_SAME,
	FOUND_OTHER,
};

static bool is_same(const SysvMsgEntry *entry, const struct msqid_ds *ds)
{
	const IpcDescEntry *desc = entry->queue->desc;
	const struct ipc_perm *perm = &ds->msg_perm;
	char boot_id[PROC_BOOT_ID_BYTES];

	if (!entry->boot_id || !proc_read_boot_id(boot_id) || strcmp(entry->boot_id, boot_id))
		return false;
	return (uint32_t)perm->__key == desc->key && perm->cuid == desc->cuid && perm->cgid == desc->cgid &&
	       ds->msg_ctime >= entry->ctime;
}

/* Whatever has the id, or its place in the kernel's table: *ret_id is then the id it has. */
static enum found look_up(const SysvMsgEntry *entry, int *ret_id, struct msqid_ds *ret)
{
	*ret_id = msgctl((int)entry->queue->desc->id, MSG_STAT_ANY, ret);
	if (*ret_id < 0)
		return FOUND_NOTHING;
	return (uint32_t)*ret_id == entry->queue->desc->id && is_same(entry, ret) ? FOUND_SAME : FOUND_OTHER;
}

static int check_key(const IpcDescEntry *desc)
{
	int id;

	if (desc->key == IPC_PRIVATE)
		return 0;
	id = msgget((key_t)desc->key, 0);
	if (id >= 0)
		return fail(EEXIST,
			    "its key %#x belongs to queue %d now; remove that one first, if nobody needs it (ipcrm -q "
			    "%d)",
			    desc->key, id, id);
	return errno == ENOENT ? 0 : fail_errno("its key %#x belongs to another queue", desc->key);
}

static bool holds(const message_list *messages, const SysvMsgEntry *entry)
{
	if (messages->n != entry->n_messages)
		return false;
	for (size_t i = 0; i < messages->n; i++) {
		const SysvMessageEntry *saved = entry->messages[i];
		const struct message *message = &messages->data[i];

		if ((uint64_t)message->mtype != saved->msg->mtype || message->bytes != saved->text.len ||
		    memcmp(message->text, saved->text.data, message->bytes))
			return false;
	}
	return true;
}

/*
 * Tasks of the tree that have sent or received since the dump have not done so when they go on from there. The queue can't
 * be turned back without a moment in which it has neither content; whoever else was the last has a right to what is in it.
 */
static int check_content(const struct model *model, const SysvMsgEntry *entry, const struct msqid_ds *ds)
{
	message_list messages = { 0 };
	struct msqid_ds now;
	int err = 0;

	if (entry->unsaved || (ds->msg_lspid && !is_task(model, ds->msg_lspid)) ||
	    (ds->msg_lrpid && !is_task(model, ds->msg_lrpid)))
		return 0;
	if (!read_messages((int)entry->queue->desc->id, &now, &messages) && !holds(&messages, entry))
		err = fail(EBUSY,
			   "it has %zu messages that are not the %zu of the dump: its tasks have gone on with it since "
			   "(the last were %d and %d); remove it to get those of the dump again (ipcrm -q %u)",
			   messages.n, entry->n_messages, now.msg_lspid, now.msg_lrpid, entry->queue->desc->id);
	messages_free(&messages);
	return err;
}

static int check_queue(const struct model *model, const SysvMsgEntry *entry)
{
	struct msqid_ds ds;
	int id;

	LOG_SCOPE("System V message queue", entry->queue->desc->id);
	switch (look_up(entry, &id, &ds)) {
	case FOUND_SAME:
		return check_content(model, entry, &ds);
	case FOUND_OTHER:
		return fail(EEXIST,
			    "its place is taken by queue %d (key %#x, made by user %u); remove that one first, if "
			    "nobody needs it (ipcrm -q %d)",
			    id, (uint32_t)ds.msg_perm.__key, ds.msg_perm.cuid, id);
	case FOUND_NOTHING:
		break;
	}
	if (entry->unsaved)
		return fail(ENOENT, "it is gone, and its messages were not saved, for others used it during the dump");
	return check_key(entry->queue->desc);
}

int msgqueues_check(const struct model *model)
{
	int err = 0;

	for (size_t i = 0; i < model->sysv_msgs.n && !err; i++)
		err = check_queue(model, model->sysv_msgs.data[i]);
	return err;
}

/* --- a new one ------------------------------------------------------------------------ */

static int get(const void *arg)
{
	const IpcDescEntry *desc = arg;
	/* Until it is complete it is its creator's alone. */
	int id = msgget((key_t)desc->key, IPC_CREAT | IPC_EXCL | 0600);

	return id < 0 ? -errno : id;
}

static int create(const IpcDescEntry *desc)
{
	int id, err = sysvipc_next_id(SYSVIPC_MSG, (int)desc->id);

	if (err)
		return fail(-err, "cannot choose its id through %s (needs CAP_CHECKPOINT_RESTORE)",
			    sysvipc_next_id_path(SYSVIPC_MSG));
	id = sysvipc_make_as(desc->cuid, desc->cgid, get, desc);
	if (id < 0) {
		if (sysvipc_next_id(SYSVIPC_MSG, -1))
			pr_warn("the next queue that anybody makes will have id %u", desc->id);
		return fail(-id, "make it");
	}
	if ((uint32_t)id == desc->id)
		return 0;
	msgctl(id, IPC_RMID, NULL);
	return fail(EEXIST, "its id was taken by another process just now");
}

/* More bytes than kernel.msgmnb take CAP_SYS_RESOURCE. */
static int set_owner_and_mode(const IpcMsgEntry *queue)
{
	const IpcDescEntry *desc = queue->desc;
	struct msqid_ds ds;

	if (msgctl((int)desc->id, IPC_STAT, &ds))
		return fail_errno("read its owner");
	if (ds.msg_perm.uid == desc->uid && ds.msg_perm.gid == desc->gid && ds.msg_qbytes == queue->qbytes &&
	    (ds.msg_perm.mode & 0777) == (desc->mode & 0777))
		return 0;
	ds.msg_perm.mode = desc->mode & 0777;
	ds.msg_perm.uid = desc->uid;
	ds.msg_perm.gid = desc->gid;
	ds.msg_qbytes = queue->qbytes;
	return msgctl((int)desc->id, IPC_SET, &ds) ? fail_errno("set its owner %u:%u, mode and that it holds %u bytes",
								desc->uid, desc->gid, queue->qbytes)
						   : 0;
}

static int send(int id, const SysvMessageEntry *message)
{
	auto_free struct buffer *buffer = xalloc(sizeof(*buffer) + message->text.len);

	buffer->mtype = (long)message->msg->mtype;
	if (message->text.len)
		memcpy(buffer->text, message->text.data, message->text.len);
	return msgsnd(id, buffer, message->text.len, IPC_NOWAIT)
		       ? fail_errno("put a message of %zu bytes into it", message->text.len)
		       : 0;
}

/* --- the last sender and receiver ------------------------------------------------------- */

/*
 * By them a later dump knows that the queue is the tree's. Before there is any task its number is free. For processes that
 * are not of the tree it is us.
 */
static long fork_as(const struct model *model, pid_t pid)
{
	struct clone_args args = { .set_tid = (uintptr_t)&pid, .set_tid_size = 1 };

	return is_task(model, pid) ? sys_clone3(&args, sizeof(args)) : -EEXIST;
}

static int wait_for(pid_t child)
{
	int status;

	while (waitpid(child, &status, __WALL) < 0)
		if (errno != EINTR)
			return fail_errno("waitpid");
	/* It has said why. */
	return WIFEXITED(status) && !WEXITSTATUS(status) ? 0 : -ECHILD;
}

static int receive(int id)
{
	struct buffer buffer;

	return msgrcv(id, &buffer, 0, 0, IPC_NOWAIT) ? fail_errno("take an empty message out of it") : 0;
}

/* @message: NULL: receive one instead. */
static int do_as(const struct model *model, pid_t pid, int id, const SysvMessageEntry *message)
{
	long child = fork_as(model, pid);

	if (child > 0)
		return wait_for((pid_t)child);
	if (child < 0)
		return message ? send(id, message) : receive(id);
	_exit((message ? send(id, message) : receive(id)) ? 1 : 0);
}

/* An empty message goes in and out again, where none that is to stay would show who they were. */
static int set_last(const struct model *model, const SysvMsgEntry *entry)
{
	IpcMsg header = IPC_MSG__INIT;
	SysvMessageEntry empty = SYSV_MESSAGE_ENTRY__INIT;
	int id = (int)entry->queue->desc->id, err;

	if (entry->n_messages && !is_task(model, (pid_t)entry->lrpid))
		return 0;
	header.mtype = 1;
	empty.msg = &header;
	err = do_as(model, (pid_t)entry->lspid, id, &empty);
	return err ?: do_as(model, (pid_t)entry->lrpid, id, NULL);
}

static int send_all(const struct model *model, const SysvMsgEntry *entry)
{
	int id = (int)entry->queue->desc->id, err = 0;

	for (size_t i = 0; i < entry->n_messages && !err; i++)
		err = i + 1 < entry->n_messages ? send(id, entry->messages[i])
						: do_as(model, (pid_t)entry->lspid, id, entry->messages[i]);
	return err;
}

static int make(const struct model *model, const SysvMsgEntry *entry, struct guard *guard)
{
	const IpcDescEntry *desc = entry->queue->desc;
	int err, slot = guard_queue_add(guard, (int)desc->id);

	if (slot < 0)
		return slot;
	err = create(desc);
	if (err) {
		guard_name_drop(guard, slot);
		return err;
	}
	err = set_last(model, entry);
	return err ?: set_owner_and_mode(entry->queue) ?: send_all(model, entry);
}

int msgqueues_make(const struct model *model, struct guard *guard)
{
	int err = 0;

	for (size_t i = 0; i < model->sysv_msgs.n && !err; i++) {
		const SysvMsgEntry *entry = model->sysv_msgs.data[i];
		struct msqid_ds ds;
		int id;

		LOG_SCOPE("System V message queue", entry->queue->desc->id);
		if (look_up(entry, &id, &ds) == FOUND_NOTHING)
			err = make(model, entry, guard);
	}
	return err;
}
