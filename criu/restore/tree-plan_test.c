/*
 * Plans are checked by carrying them out on paper: a small model of fork,
 * setsid, setpgid, exit and reparenting, and what it ends in.
 */
#include <sys/sysmacros.h>

#include "restore/tree-plan.h"
#include "util/log.h"
#include "util/test.h"

struct want {
	uint32_t pid, ppid, sid, pgid;
	uint32_t front;	  /* a leader: its session has a terminal, this is the foreground group; 0: it has none */
	bool no_terminal; /* although its session has one */
};

/* A task on paper. */
struct paper {
	pid_t pid, ppid, sid, pgid;
	bool alive, subreaper;
	pid_t terminal; /* session whose terminal it has; 0: none */
	pid_t front;	/* a leader: the foreground group */
};

#define MAX_PAPER 64

struct world {
	struct paper tasks[MAX_PAPER];
	size_t n;
};

static struct paper *find(struct world *world, pid_t pid)
{
	for (size_t i = 0; i < world->n; i++)
		if (world->tasks[i].pid == pid && world->tasks[i].alive)
			return &world->tasks[i];
	return NULL;
}

static bool group_exists(struct world *world, pid_t pgid, pid_t sid)
{
	for (size_t i = 0; i < world->n; i++)
		if (world->tasks[i].alive && world->tasks[i].pgid == pgid && world->tasks[i].sid == sid)
			return true;
	return false;
}

static void paper_exit(struct world *world, struct paper *gone)
{
	struct paper *reaper = find(world, gone->ppid);

	gone->alive = false;
	while (reaper && !reaper->subreaper)
		reaper = find(world, reaper->ppid);
	for (size_t i = 0; i < world->n; i++)
		if (world->tasks[i].alive && world->tasks[i].ppid == gone->pid)
			world->tasks[i].ppid = reaper ? reaper->pid : 1;
}

/* false: the kernel would have refused. */
static bool carry_out(struct world *world, const struct tree_step *step)
{
	struct paper *task = find(world, step->node->pid);
	struct paper *creator;

	switch (step->action) {
	case TREE_FORK:
		creator = step->node->creator ? find(world, step->node->creator->pid) : NULL;
		if (task || (step->node->creator && !creator) || world->n == MAX_PAPER)
			return false;
		world->tasks[world->n++] = (struct paper){
			.pid = step->node->pid,
			.ppid = creator ? creator->pid : 0,
			.sid = creator ? creator->sid : 999,
			.pgid = creator ? creator->pgid : 998,
			.terminal = creator ? creator->terminal : 0,
			.alive = true,
		};
		return true;
	case TREE_SETSID:
		if (!task || group_exists(world, task->pid, task->sid))
			return false;
		task->sid = task->pgid = task->pid;
		task->terminal = 0;
		return true;
	case TREE_SUBREAPER_ON:
	case TREE_SUBREAPER_OFF:
		if (!task)
			return false;
		task->subreaper = step->action == TREE_SUBREAPER_ON;
		return true;
	case TREE_SETPGID:
		if (!task || task->sid == task->pid ||
		    (step->pgid != task->pid && !group_exists(world, step->pgid, task->sid)))
			return false;
		task->pgid = step->pgid;
		return true;
	case TREE_TAKE_TERMINAL:
		if (!task || task->sid != task->pid || task->terminal)
			return false;
		task->terminal = task->front = task->pid;
		return true;
	case TREE_GIVE_TERMINAL:
		if (!task || task->sid == task->pid || task->terminal != task->sid)
			return false;
		task->terminal = 0;
		return true;
	case TREE_FOREGROUND:
		if (!task || task->terminal != task->pid || !group_exists(world, step->pgid, task->sid))
			return false;
		task->front = step->pgid;
		return true;
	case TREE_EXIT:
		if (!task || task->ppid != step->node->parent->pid)
			return false;
		paper_exit(world, task);
		return true;
	}
	return false;
}

static void add_terminal(struct model *model, const struct want *leader)
{
	for (int master = 0; master < 2; master++) {
		TtyInfoEntry *info = model_new(model, TtyInfoEntry, tty_info_entry__init);

		info->id = 2 * leader->pid + master;
		info->type = TTY_TYPE__PTY;
		info->rdev = master ? makedev(5, 2) : makedev(136, leader->pid);
		info->pty = model_new(model, TtyPtyEntry, tty_pty_entry__init);
		info->pty->index = leader->pid;
		info->sid = leader->pid;
		info->pgrp = leader->front;
		info->termios = model_new(model, TermiosEntry, termios_entry__init);
		VEC_PUSH(&model->ttys, info);
	}
}

static void add_wanted(struct model *model, const struct want *want)
{
	struct task_image *task = model_add_task(model);
	TaskCoreEntry *tc = model_new(model, TaskCoreEntry, task_core_entry__init);

	task->pstree = model_new(model, PstreeEntry, pstree_entry__init);
	task->pstree->pid = want->pid;
	task->pstree->ppid = want->ppid;
	task->pstree->sid = want->sid;
	task->pstree->pgid = want->pgid;
	task->core = arena_array(model->arena, CoreEntry *, 1);
	task->core[0] = model_new(model, CoreEntry, core_entry__init);
	task->core[0]->tc = tc;
	tc->extra = model_new(model, TaskExtraEntry, task_extra_entry__init);
	tc->extra->no_terminal = want->no_terminal;
	if (want->front)
		add_terminal(model, want);
}

static bool has_terminals(const struct want *wants, size_t n, uint32_t sid)
{
	for (size_t i = 0; i < n; i++)
		if (wants[i].pid == sid)
			return wants[i].front;
	return false;
}

static void check(const char *name, const struct want *wants, size_t n, bool shell_job)
{
	struct model model;
	struct tree_plan plan;
	struct world world = { .n = 0 };
	bool outer_group = shell_job && wants[0].pgid != wants[0].pid;
	size_t alive = 0;

	model_init(&model);
	for (size_t i = 0; i < n; i++)
		add_wanted(&model, &wants[i]);
	if (!CHECK_EQ(tree_plan_make(&model, shell_job, &plan), 0))
		printf("\tin %s\n", name);
	for (size_t i = 0; i < plan.steps.n; i++)
		if (!CHECK(carry_out(&world, &plan.steps.data[i])))
			printf("\tin %s: step %zu, action %d, task %d\n", name, i, plan.steps.data[i].action,
			       plan.steps.data[i].node->pid);
	for (size_t i = 0; i < n; i++) {
		const struct paper *task = find(&world, wants[i].pid);

		if (!CHECK(task))
			continue;
		if (!CHECK_EQ(task->ppid, wants[i].ppid) ||
		    !CHECK_EQ(task->sid, shell_job && wants[i].sid == wants[0].sid ? 999 : wants[i].sid) ||
		    !CHECK_EQ(task->pgid, outer_group && wants[i].pgid == wants[0].pgid ? 998 : wants[i].pgid))
			printf("\tin %s: task %u\n", name, wants[i].pid);
		if (!CHECK_EQ(task->terminal != 0, has_terminals(wants, n, wants[i].sid) && !wants[i].no_terminal) ||
		    !CHECK_EQ(task->front, wants[i].front))
			printf("\tin %s: terminal of task %u\n", name, wants[i].pid);
	}
	for (size_t i = 0; i < world.n; i++)
		alive += world.tasks[i].alive;
	CHECK_EQ(alive, n);
	tree_plan_free(&plan);
	model_free(&model);
}

/* A task: pid, parent, session, group, and what else there is. */
#define T(id, parent, session, group, ...)                                                                             \
	{                                                                                                              \
		.pid = id, .ppid = parent, .sid = session, .pgid = group, ##__VA_ARGS__                                \
	}

#define PLAN(name, shell_job, ...)                                                                                     \
	do {                                                                                                           \
		static const struct want wants[] = { __VA_ARGS__ };                                                    \
		check(name, wants, ARRAY_SIZE(wants), shell_job);                                                      \
	} while (0)

static void refuses(const char *name, const struct want *wants, size_t n)
{
	struct model model;
	struct tree_plan plan;

	model_init(&model);
	for (size_t i = 0; i < n; i++)
		add_wanted(&model, &wants[i]);
	if (!CHECK(tree_plan_make(&model, false, &plan) < 0))
		printf("\tin %s\n", name);
	tree_plan_free(&plan);
	model_free(&model);
}

int main(void)
{
	static const struct want job[] = { T(10, 0, 5, 5) };
	/* A foreground group without members, whose number a task of another group has. */
	static const struct want reused[] = { T(10, 0, 10, 10, .front = 11), T(11, 10, 10, 10) };

	log_set_level(LOG_MSG);
	PLAN("one task", false, T(10, 0, 10, 10));
	PLAN("children", false, T(10, 0, 10, 10), T(11, 10, 10, 10), T(12, 11, 10, 10));
	PLAN("own groups", false, T(10, 0, 10, 10), T(11, 10, 10, 11), T(12, 10, 10, 11), T(13, 12, 10, 12),
	     T(14, 12, 10, 11));
	PLAN("own sessions", false, T(10, 0, 10, 10), T(11, 10, 11, 11), T(12, 11, 11, 12), T(13, 10, 13, 13));
	PLAN("forked before setsid", false, T(10, 0, 10, 10), T(11, 10, 11, 11), T(12, 11, 10, 10), T(13, 11, 11, 11));
	PLAN("forked before setsid, twice", false, T(10, 0, 10, 10), T(11, 10, 11, 11), T(12, 11, 12, 12),
	     T(13, 12, 10, 10));
	PLAN("adopted from a session below", false, T(10, 0, 10, 10), T(11, 10, 11, 11), T(12, 10, 11, 11));
	PLAN("adopted, with a child", false, T(10, 0, 10, 10), T(11, 10, 11, 11), T(12, 10, 11, 12), T(13, 12, 11, 12));
	PLAN("session leader gone", false, T(10, 0, 10, 10), T(12, 10, 11, 11), T(13, 10, 11, 13));
	PLAN("session leader gone, deeper", false, T(10, 0, 10, 10), T(20, 10, 20, 20), T(21, 20, 15, 15),
	     T(22, 21, 15, 15));
	PLAN("group leader gone", false, T(10, 0, 10, 10), T(12, 10, 10, 11), T(13, 10, 10, 11));
	PLAN("group leader gone in another session", false, T(10, 0, 10, 10), T(20, 10, 20, 20), T(22, 20, 20, 21),
	     T(23, 22, 20, 21));
	PLAN("group founders moved on", false, T(10, 0, 10, 10), T(11, 10, 10, 10), T(12, 10, 10, 11),
	     T(13, 12, 10, 12), T(14, 12, 10, 13), T(15, 10, 10, 14));
	PLAN("shell job", true, T(10, 0, 5, 5), T(11, 10, 5, 5));
	PLAN("shell job with its own group", true, T(10, 0, 5, 10), T(11, 10, 5, 10), T(12, 10, 12, 12));
	PLAN("terminal", false, T(10, 0, 10, 10, .front = 10), T(11, 10, 10, 11));
	PLAN("terminal, a group in front", false, T(10, 0, 10, 10, .front = 12), T(11, 10, 10, 11), T(12, 10, 10, 12),
	     T(13, 12, 10, 12));
	PLAN("terminal, the group's leader gone", false, T(10, 0, 10, 10, .front = 12), T(13, 10, 10, 12));
	PLAN("terminal, the whole group gone", false, T(10, 0, 10, 10, .front = 12), T(13, 10, 10, 13));
	PLAN("terminals of two sessions", false, T(10, 0, 10, 10), T(20, 10, 20, 20, .front = 21), T(21, 20, 20, 21),
	     T(30, 20, 30, 30, .front = 30), T(31, 30, 30, 31));
	PLAN("terminal, but not for all", false, T(10, 0, 10, 10, .front = 10), T(11, 10, 10, 11, .no_terminal = true),
	     T(12, 11, 10, 11), T(13, 10, 13, 13));
	PLAN("terminal below a shell job", true, T(10, 0, 5, 5), T(20, 10, 20, 20, .front = 21), T(21, 20, 20, 21));
	refuses("a foreground group whose number is a task's", reused, ARRAY_SIZE(reused));
	refuses("a job without --shell-job", job, ARRAY_SIZE(job));
	return test_end();
}
