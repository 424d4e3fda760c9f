/*
 * In which order to fork the tasks of a tree so that each gets its parent, its
 * session and its process group. Pure: from the pstree entries to a list of steps.
 *
 * A task is born into the session of whoever forks it and can only leave it by
 * becoming a leader. So a child whose session is not its parent's was either
 * forked before the parent called setsid(), or it was adopted: an orphan that
 * a session further down left behind. The first is a matter of order. For the
 * second a helper in that session forks the task and exits, while
 * the parent-to-be is, for the moment, a child subreaper. A session or process group
 * whose leader is gone gets a helper with the leader's PID, which exits at the end.
 */
#ifndef CRIU_RESTORE_TREE_PLAN_H
#define CRIU_RESTORE_TREE_PLAN_H

#include "mem/mm-restore.h"

struct tree_node {
	pid_t pid;
	const struct task_image *task; /* NULL: a helper */
	struct tree_node *parent;      /* in the finished tree; NULL for the root. A helper: who reaps it */
	struct tree_node *creator;     /* who forks it; NULL: criu */

	pid_t group; /* while planning: its process group so far; 0: that of criu */

	/* While the plan is carried out: */
	struct remote_process *process; /* owned by the restore */
	const struct mm_image *mm;	/* whose memory it holds; NULL: still criu's */
	struct vdso_layout vdso;	/* where it has the vdso group */
	bool adjusted;			/* its death changes semaphores (tasks_adjust()) */
};

enum tree_action {
	TREE_FORK,	   /* creator forks node */
	TREE_SETSID,	   /* node becomes a session leader */
	TREE_SUBREAPER_ON, /* node adopts the orphans below it, for now */
	TREE_SUBREAPER_OFF,
	TREE_SETPGID,	    /* node joins process group pgid */
	TREE_TAKE_TERMINAL, /* node, a session leader, gets its controlling terminal, which its children inherit */
	TREE_GIVE_TERMINAL, /* node, not a leader, gives it up for itself */
	TREE_FOREGROUND,    /* node, a session leader, puts process group pgid into the foreground */
	TREE_EXIT,	    /* helper node ends and is reaped by its parent */
};

struct tree_step {
	enum tree_action action;
	struct tree_node *node;
	pid_t pgid;
	const TtyInfoEntry *terminal;
};

struct tree_plan {
	VEC(struct tree_node *) nodes; /* tasks in the model's order, then helpers; in the model's arena */
	VEC(struct tree_step) steps;
};

/**
 * tree_plan_make - plan for all tasks of @model
 * @shell_job: the root's session and process group are outside the tree: ours take their place
 * Return: 0, or -ENOTSUP, logged, naming the task whose session, or whose sharing with another, can't be had.
 * A dump asks, too: it must not kill what could not be restored.
 */
int must_check tree_plan_make(const struct model *model, bool shell_job, struct tree_plan *ret);

/** tree_node_source - the task whose descriptors and memory a forked node starts with: helpers pass on theirs. */
const struct tree_node *tree_node_source(const struct tree_node *node);

void tree_plan_free(struct tree_plan *plan);

#endif
