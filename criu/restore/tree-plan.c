#include <errno.h>
#include <signal.h>
#include <stdio.h>

#include "files/tty.h"
#include "restore/tree-plan.h"
#include "util/log.h"

struct planner {
	const struct model *model;
	struct tree_plan *plan;
	struct hash by_pid;	     /* node, helpers included */
	pid_t outer_sid, outer_pgid; /* of a shell job's root: outside the tree; 0: none */
	struct hash taken;	     /* every number the image uses as an ID */
	pid_t next_helper_pid, pid_max;
};

/* Keeps track of the group each task is in, to leave out what a fork has done already. */
static void step(struct planner *planner, enum tree_action action, struct tree_node *node, pid_t pgid)
{
	if (action == TREE_SETPGID && node->group == pgid)
		return;
	if (action == TREE_FORK)
		node->group = node->creator ? node->creator->group : 0;
	else if (action == TREE_SETSID || action == TREE_SETPGID)
		node->group = action == TREE_SETSID ? node->pid : pgid;
	VEC_PUSH(&planner->plan->steps, ((struct tree_step){ .action = action, .node = node, .pgid = pgid }));
}

static struct tree_node *node_of(const struct planner *planner, pid_t pid)
{
	return hash_get(&planner->by_pid, pid, 0);
}

static struct tree_node *add_node(struct planner *planner, pid_t pid, const struct task_image *task)
{
	struct tree_node *node = arena_new_of(planner->model->arena, struct tree_node);

	node->pid = pid;
	node->task = task;
	VEC_PUSH(&planner->plan->nodes, node);
	hash_put(&planner->by_pid, pid, 0, node);
	return node;
}

static pid_t sid_of(const struct tree_node *node)
{
	return node->task->pstree->sid;
}

static bool is_leader(const struct tree_node *node)
{
	return node->task && sid_of(node) == node->pid;
}

static bool is_below(const struct tree_node *node, const struct tree_node *ancestor)
{
	while (node && node != ancestor)
		node = node->parent;
	return node != NULL;
}

/* --- where each task is born -------------------------------------------------------- */

/* A PID nothing in the image is called by, for a helper that forks one task and exits. */
static pid_t helper_pid(struct planner *planner)
{
	enum { FIRST = 300 };
	pid_t pid;

	do {
		if (planner->next_helper_pid >= planner->pid_max)
			planner->next_helper_pid = FIRST;
		pid = planner->next_helper_pid++;
	} while (hash_get(&planner->taken, pid, 0) || node_of(planner, pid) || !kill(pid, 0));
	return pid;
}

/* Which session must @node be born in? 0: any, it leaves by becoming a leader. */
static pid_t birth_session(const struct planner *planner, const struct tree_node *node)
{
	if (!is_leader(node))
		return sid_of(node);
	/* Children that are not in its own session and not from below were forked before its setsid(). */
	for (size_t i = 0; i < planner->model->tasks.n; i++) {
		const struct tree_node *child = planner->plan->nodes.data[i];
		const struct tree_node *leader;
		pid_t session;

		if (child->parent != node || sid_of(child) == node->pid)
			continue;
		session = birth_session(planner, child);
		leader = node_of(planner, session);
		if (session && (leader ? !is_below(leader, node) : session == planner->outer_sid))
			return session;
	}
	return 0;
}

enum birth {
	BIRTH_BEFORE_SETSID, /* forked by the parent while it is in the session it was born in */
	BIRTH_NATURAL,	     /* forked by the parent */
	BIRTH_ADOPTED,	     /* forked in a session below the parent, then orphaned */
};

static enum birth how_born(const struct planner *planner, const struct tree_node *node)
{
	const struct tree_node *parent = node->parent;
	pid_t session = birth_session(planner, node);

	if (!session || session == sid_of(parent))
		return BIRTH_NATURAL;
	if (is_leader(parent) && session == birth_session(planner, parent))
		return BIRTH_BEFORE_SETSID;
	return BIRTH_ADOPTED;
}

/* --- steps -------------------------------------------------------------------------------- */

static int create(struct planner *planner, struct tree_node *node);

static int create_children(struct planner *planner, struct tree_node *parent, enum birth birth)
{
	int err = 0;

	for (size_t i = 0; !err && i < planner->model->tasks.n; i++) {
		struct tree_node *child = planner->plan->nodes.data[i];

		if (child->parent != parent || how_born(planner, child) != birth)
			continue;
		child->creator = parent;
		err = create(planner, child);
	}
	return err;
}

/* The leader of @session is gone: a helper with its PID, forked by @parent. */
static struct tree_node *session_helper(struct planner *planner, pid_t session, struct tree_node *parent)
{
	struct tree_node *helper = node_of(planner, session);

	if (helper)
		return helper;
	helper = add_node(planner, session, NULL);
	helper->parent = helper->creator = parent;
	step(planner, TREE_FORK, helper, 0);
	step(planner, TREE_SETSID, helper, 0);
	return helper;
}

static int adopt(struct planner *planner, struct tree_node *child)
{
	pid_t session = birth_session(planner, child);
	struct tree_node *parent = child->parent;
	struct tree_node *leader = node_of(planner, session);
	struct tree_node *helper;
	int err;

	if (!leader || !leader->task) {
		if (session == planner->outer_sid)
			return fail(ENOTSUP, "task %d: is in the session of the terminal although its parent %d is not",
				    child->pid, parent->pid);
		leader = session_helper(planner, session, parent);
		if (leader->parent == parent) {
			/* Orphaned when the helper exits at the end. */
			child->creator = leader;
			return create(planner, child);
		}
	}
	if (!is_below(leader, parent))
		return fail(ENOTSUP, "task %d: its session %d can't be restored below its parent %d", child->pid,
			    session, parent->pid);

	helper = add_node(planner, helper_pid(planner), NULL);
	helper->parent = helper->creator = leader;
	child->creator = helper;
	step(planner, TREE_FORK, helper, 0);
	err = create(planner, child);
	step(planner, TREE_SUBREAPER_ON, parent, 0);
	step(planner, TREE_EXIT, helper, 0);
	step(planner, TREE_SUBREAPER_OFF, parent, 0);
	return err;
}

static void terminal_step(struct planner *planner, enum tree_action action, struct tree_node *node, pid_t pgid,
			  const TtyInfoEntry *terminal)
{
	VEC_PUSH(&planner->plan->steps,
		 ((struct tree_step){ .action = action, .node = node, .pgid = pgid, .terminal = terminal }));
}

static void lead(struct planner *planner, struct tree_node *node)
{
	const TtyInfoEntry *terminal = tty_of_session(planner->model, node->pid);

	step(planner, TREE_SETSID, node, 0);
	if (terminal)
		terminal_step(planner, TREE_TAKE_TERMINAL, node, 0, terminal);
}

static int create(struct planner *planner, struct tree_node *node)
{
	int err;

	step(planner, TREE_FORK, node, 0);
	err = create_children(planner, node, BIRTH_BEFORE_SETSID);
	if (!err && is_leader(node))
		lead(planner, node);
	if (!err)
		err = create_children(planner, node, BIRTH_NATURAL);
	for (size_t i = 0; !err && i < planner->model->tasks.n; i++) {
		struct tree_node *child = planner->plan->nodes.data[i];

		if (child->parent == node && how_born(planner, child) == BIRTH_ADOPTED)
			err = adopt(planner, child);
	}
	return err;
}

/* A helper keeps alive the name of a group whose leader is gone, until its members have joined. */
static void group_helper(struct planner *planner, pid_t pgid, struct tree_node *member)
{
	struct tree_node *helper = add_node(planner, pgid, NULL);

	helper->parent = helper->creator = member;
	step(planner, TREE_FORK, helper, 0);
	step(planner, TREE_SETPGID, helper, pgid);
}

/* A task whose group others are in, even if it has itself moved on to another. */
static bool names_group(const struct planner *planner, const struct tree_node *node)
{
	for (size_t i = 0; i < planner->model->tasks.n; i++)
		if ((pid_t)planner->model->tasks.data[i].pstree->pgid == node->pid)
			return true;
	return false;
}

static void join_group(struct planner *planner, struct tree_node *node)
{
	pid_t pgid = node->task->pstree->pgid;

	if (!node_of(planner, pgid)) {
		if (pgid == planner->outer_pgid)
			return;
		group_helper(planner, pgid, node);
	}
	step(planner, TREE_SETPGID, node, pgid);
}

static bool is_awaited(const struct planner *planner, const struct tree_node *founder, const bool *pending)
{
	for (size_t i = 0; i < planner->model->tasks.n; i++)
		if (pending[i] && (pid_t)planner->model->tasks.data[i].pstree->pgid == founder->pid)
			return true;
	return false;
}

/*
 * Groups come into being, are joined, and only then left by a task that gave
 * one its name and has itself moved on: it moves when nobody waits to join any
 * more, or, if such tasks wait for each other in a circle, in their order.
 */
static void plan_groups(struct planner *planner)
{
	size_t n_tasks = planner->model->tasks.n, n_pending = 0;
	bool *pending = arena_array(planner->model->arena, bool, n_tasks);

	for (size_t i = 0; i < n_tasks; i++) {
		struct tree_node *node = planner->plan->nodes.data[i];

		pending[i] = !is_leader(node) && (pid_t)node->task->pstree->pgid != node->pid;
		n_pending += pending[i];
		if (!is_leader(node) && names_group(planner, node))
			step(planner, TREE_SETPGID, node, node->pid);
	}
	for (bool progress = false, force = false; n_pending; force = !progress, progress = false) {
		for (size_t i = 0; i < n_tasks; i++) {
			struct tree_node *node = planner->plan->nodes.data[i];

			if (!pending[i] || (!force && is_awaited(planner, node, pending)))
				continue;
			join_group(planner, node);
			pending[i] = false;
			n_pending--;
			progress = true;
			force = false;
		}
	}
}

static bool group_exists(const struct planner *planner, pid_t pgid)
{
	for (size_t i = 0; i < planner->plan->nodes.n; i++)
		if (planner->plan->nodes.data[i]->group == pgid)
			return true;
	return false;
}

/* A foreground group may be gone, until its shell has noticed. */
static int plan_foreground(struct planner *planner, struct tree_node *leader, const TtyInfoEntry *terminal)
{
	pid_t pgid = (pid_t)terminal->pgrp;

	if (!pgid || pgid == leader->pid)
		return 0;
	if (!group_exists(planner, pgid)) {
		if (node_of(planner, pgid))
			return fail(ENOTSUP,
				    "process group %d has the foreground of session %d and no members, but task %d has "
				    "its number",
				    pgid, leader->pid, pgid);
		group_helper(planner, pgid, leader);
	}
	terminal_step(planner, TREE_FOREGROUND, leader, pgid, terminal);
	return 0;
}

static bool gave_terminal(const struct tree_node *node)
{
	const TaskCoreEntry *tc = node->task->core[0]->tc;

	return tc && tc->extra && tc->extra->no_terminal;
}

static int plan_terminals(struct planner *planner)
{
	size_t n_tasks = planner->model->tasks.n;
	int err = 0;

	for (size_t i = 0; i < n_tasks && !err; i++) {
		struct tree_node *node = planner->plan->nodes.data[i];
		const TtyInfoEntry *terminal = tty_of_session(planner->model, sid_of(node));

		if (!terminal)
			continue;
		if (is_leader(node))
			err = plan_foreground(planner, node, terminal);
		else if (gave_terminal(node))
			terminal_step(planner, TREE_GIVE_TERMINAL, node, 0, terminal);
	}
	return err;
}

/* Helpers forked late (for groups) go first: those of sessions may have children to leave behind. */
static void plan_exits(struct planner *planner)
{
	struct tree_plan *plan = planner->plan;
	size_t n_steps = plan->steps.n;

	for (size_t i = plan->nodes.n; i-- > planner->model->tasks.n;) {
		struct tree_node *helper = plan->nodes.data[i];
		bool exited = false;

		for (size_t j = 0; j < n_steps; j++)
			exited |= plan->steps.data[j].action == TREE_EXIT && plan->steps.data[j].node == helper;
		if (exited)
			continue;
		step(planner, TREE_SUBREAPER_ON, helper->parent, 0);
		step(planner, TREE_EXIT, helper, 0);
		step(planner, TREE_SUBREAPER_OFF, helper->parent, 0);
	}
}

/* --- the whole ------------------------------------------------------------------------------ */

static int check_root(struct planner *planner, bool shell_job)
{
	const PstreeEntry *root = planner->model->tasks.data[0].pstree;

	if (root->sid == root->pid)
		return 0;
	if (!shell_job)
		return fail(EINVAL, "task %u is not a session leader: restore a terminal's job with --shell-job (-j)",
			    root->pid);
	planner->outer_sid = root->sid;
	planner->outer_pgid = root->pgid == root->pid ? 0 : root->pgid;
	return 0;
}

static void take_id(struct planner *planner, pid_t id)
{
	hash_put(&planner->taken, id, 0, planner);
	planner->next_helper_pid = max_u64(planner->next_helper_pid, id + 1);
}

static void add_tasks(struct planner *planner)
{
	const struct model *model = planner->model;

	for (size_t i = 0; i < model->tasks.n; i++) {
		const struct task_image *task = &model->tasks.data[i];
		struct tree_node *node = add_node(planner, task->pstree->pid, task);

		node->parent = i ? node_of(planner, task->pstree->ppid) : NULL;
		take_id(planner, task->pstree->sid);
		take_id(planner, task->pstree->pgid);
		take_id(planner, task->pstree->pid);
		for (size_t j = 0; j < task->pstree->n_threads; j++)
			take_id(planner, task->pstree->threads[j]);
	}
}

/* Above it clone3(2) gives no PID. */
static pid_t read_pid_max(void)
{
	enum { DEFAULT = 32768 };
	FILE *file = fopen("/proc/sys/kernel/pid_max", "re");
	int pid_max;

	if (!file)
		return DEFAULT;
	if (fscanf(file, "%d", &pid_max) != 1)
		pid_max = DEFAULT;
	fclose(file);
	return pid_max;
}

/* --- what tasks share ---------------------------------------------------------------------- */

const struct tree_node *tree_node_source(const struct tree_node *node)
{
	const struct tree_node *creator = node->creator;

	while (creator && !creator->task)
		creator = creator->creator;
	return creator;
}

/* Tables and directories are shared by forking: only with the task one is forked from. */
static int check_shared(struct hash *owners, const struct tree_node *node, uint32_t id, uint32_t source_id,
			const char *what)
{
	const struct tree_node *owner = hash_get(owners, id, 0);

	if (!owner)
		hash_put(owners, id, 0, (void *)node);
	else if (id != source_id)
		return fail(ENOTSUP, "task %d: shares its %s with task %d, which no order of forks can restore",
			    node->pid, what, owner->pid);
	return 0;
}

static int check_sharing(const struct planner *planner)
{
	struct hash tables = { 0 }, directories = { 0 };
	int err = 0;

	for (size_t i = 0; !err && i < planner->model->tasks.n; i++) {
		const struct tree_node *node = planner->plan->nodes.data[i];
		const struct tree_node *source = tree_node_source(node);
		const TaskKobjIdsEntry *ids = node->task->ids, *from = source ? source->task->ids : NULL;

		if (!ids)
			continue;
		err = check_shared(&tables, node, ids->files_id, from ? from->files_id : 0, "descriptor table");
		if (!err)
			err = check_shared(&directories, node, ids->fs_id, from ? from->fs_id : 0, "working directory");
	}
	hash_free(&tables);
	hash_free(&directories);
	return err;
}

int tree_plan_make(const struct model *model, bool shell_job, struct tree_plan *ret)
{
	struct planner planner = { .model = model, .plan = ret, .pid_max = read_pid_max() };
	int err;

	*ret = (struct tree_plan){ 0 };
	err = check_root(&planner, shell_job);
	if (!err) {
		add_tasks(&planner);
		err = create(&planner, ret->nodes.data[0]);
	}
	if (!err)
		err = check_sharing(&planner);
	if (!err) {
		plan_groups(&planner);
		err = plan_terminals(&planner);
	}
	if (!err)
		plan_exits(&planner);
	hash_free(&planner.taken);
	hash_free(&planner.by_pid);
	return err;
}

void tree_plan_free(struct tree_plan *plan)
{
	VEC_FREE(&plan->nodes);
	VEC_FREE(&plan->steps);
}
