/*
 * Plans are checked by carrying them out on paper: a small model of fork,
 * setsid, setpgid, exit and reparenting, and what it ends in.
 */
#include "restore/tree-plan.h"
#include "util/log.h"
#include "util/test.h"

struct want {
	uint32_t pid, ppid, sid, pgid;
};

/* A task on paper. */
struct paper {
	pid_t pid, ppid, sid, pgid;
	bool alive, subreaper;
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
			.alive = true,
		};
		return true;
	case TREE_SETSID:
		if (!task || group_exists(world, task->pid, task->sid))
			return false;
		task->sid = task->pgid = task->pid;
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
	case TREE_EXIT:
		if (!task || task->ppid != step->node->parent->pid)
			return false;
		paper_exit(world, task);
		return true;
	}
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
	for (size_t i = 0; i < n; i++) {
		struct task_image *task = model_add_task(&model);

		task->pstree = model_new(&model, PstreeEntry, pstree_entry__init);
		task->pstree->pid = wants[i].pid;
		task->pstree->ppid = wants[i].ppid;
		task->pstree->sid = wants[i].sid;
		task->pstree->pgid = wants[i].pgid;
	}
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
	}
	for (size_t i = 0; i < world.n; i++)
		alive += world.tasks[i].alive;
	CHECK_EQ(alive, n);
	tree_plan_free(&plan);
	model_free(&model);
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
	for (size_t i = 0; i < n; i++) {
		struct task_image *task = model_add_task(&model);

		task->pstree = model_new(&model, PstreeEntry, pstree_entry__init);
		task->pstree->pid = wants[i].pid;
		task->pstree->ppid = wants[i].ppid;
		task->pstree->sid = wants[i].sid;
		task->pstree->pgid = wants[i].pgid;
	}
	if (!CHECK(tree_plan_make(&model, false, &plan) < 0))
		printf("\tin %s\n", name);
	tree_plan_free(&plan);
	model_free(&model);
}

int main(void)
{
	static const struct want job[] = { { 10, 0, 5, 5 } };

	log_set_level(LOG_MSG);
	PLAN("one task", false, { 10, 0, 10, 10 });
	PLAN("children", false, { 10, 0, 10, 10 }, { 11, 10, 10, 10 }, { 12, 11, 10, 10 });
	PLAN("own groups", false, { 10, 0, 10, 10 }, { 11, 10, 10, 11 }, { 12, 10, 10, 11 }, { 13, 12, 10, 12 },
	     { 14, 12, 10, 11 });
	PLAN("own sessions", false, { 10, 0, 10, 10 }, { 11, 10, 11, 11 }, { 12, 11, 11, 12 }, { 13, 10, 13, 13 });
	PLAN("forked before setsid", false, { 10, 0, 10, 10 }, { 11, 10, 11, 11 }, { 12, 11, 10, 10 },
	     { 13, 11, 11, 11 });
	PLAN("forked before setsid, twice", false, { 10, 0, 10, 10 }, { 11, 10, 11, 11 }, { 12, 11, 12, 12 },
	     { 13, 12, 10, 10 });
	PLAN("adopted from a session below", false, { 10, 0, 10, 10 }, { 11, 10, 11, 11 }, { 12, 10, 11, 11 });
	PLAN("adopted, with a child", false, { 10, 0, 10, 10 }, { 11, 10, 11, 11 }, { 12, 10, 11, 12 },
	     { 13, 12, 11, 12 });
	PLAN("session leader gone", false, { 10, 0, 10, 10 }, { 12, 10, 11, 11 }, { 13, 10, 11, 13 });
	PLAN("session leader gone, deeper", false, { 10, 0, 10, 10 }, { 20, 10, 20, 20 }, { 21, 20, 15, 15 },
	     { 22, 21, 15, 15 });
	PLAN("group leader gone", false, { 10, 0, 10, 10 }, { 12, 10, 10, 11 }, { 13, 10, 10, 11 });
	PLAN("group leader gone in another session", false, { 10, 0, 10, 10 }, { 20, 10, 20, 20 }, { 22, 20, 20, 21 },
	     { 23, 22, 20, 21 });
	PLAN("group founders moved on", false, { 10, 0, 10, 10 }, { 11, 10, 10, 10 }, { 12, 10, 10, 11 },
	     { 13, 12, 10, 12 }, { 14, 12, 10, 13 }, { 15, 10, 10, 14 });
	PLAN("shell job", true, { 10, 0, 5, 5 }, { 11, 10, 5, 5 });
	PLAN("shell job with its own group", true, { 10, 0, 5, 10 }, { 11, 10, 5, 10 }, { 12, 10, 12, 12 });
	refuses("a job without --shell-job", job, ARRAY_SIZE(job));
	return test_end();
}
