#include <signal.h>

#include "zdtmtst.h"
#include "kids.h"
#include "semprop.h"

const char *test_doc = "Adjustments of all sizes (SEM_UNDO), in a stopped process too, act when their process ends";

#define SEMS 100
#define MAX  32767

static const struct {
	int num, value, adjust;
} cases[] = {
	{ 0, 0, 1 },	     { 1, 5, -5 },	   { 2, 0, MAX }, { 3, MAX, -MAX }, { 62, 300, 300 },
	{ 63, 16384, -300 }, { 64, 20000, 16384 }, { 65, 0, -7 }, { 99, 1, 20 },
};
#define CASES ((int)(sizeof(cases) / sizeof(cases[0])))

static int set;

/* With the operation, the semaphore is to have case's value. */
static int adjust(void *)
{
	for (int i = 0; i < CASES; i++) {
		struct sembuf op = { cases[i].num, -cases[i].adjust, SEM_UNDO };

		if (semctl(set, cases[i].num, SETVAL, cases[i].adjust > 0 ? cases[i].adjust : 0) ||
		    semop(set, &op, 1) || sem_differs(set, cases[i].num, cases[i].adjust > 0 ? 0 : -cases[i].adjust))
			return pr_perror("case %d", i);
		op.sem_flg = 0;
		op.sem_op = cases[i].value - semctl(set, cases[i].num, GETVAL);
		if (op.sem_op && semop(set, &op, 1))
			return pr_perror("case %d", i);
	}
	return 0;
}

static int values_differ(void *)
{
	for (int i = 0; i < CASES; i++)
		if (sem_differs(set, cases[i].num, cases[i].value))
			return 1;
	return sem_differs(set, 50, 0);
}

int main(int argc, char **argv)
{
	struct semid_ds before;
	pid_t kid;
	int status;

	test_init(argc, argv);

	set = semget(IPC_PRIVATE, SEMS, IPC_CREAT | 0640);
	if (set < 0)
		return pr_perror("semget");
	kid = kid_start(adjust, values_differ, NULL);
	if (kid < 0 || kill(kid, SIGSTOP) || waitpid(kid, &status, WUNTRACED) != kid ||
	    semctl(set, 0, IPC_STAT, (union semun){ .ds = &before }))
		return pr_perror("child");

	test_daemon();
	test_waitsig();

	if (values_differ(NULL) || set_changed(set, &before))
		return fail("semaphores changed");
	if (kill(kid, SIGCONT) || kid_finish(kid))
		return fail("child");
	for (int i = 0; i < CASES; i++) {
		int sum = cases[i].value + cases[i].adjust;

		if (sem_differs(set, cases[i].num, sum < 0 ? 0 : sum > MAX ? MAX : sum))
			return fail("the end of the child did not add %d", cases[i].adjust);
	}
	if (sem_differs(set, 50, 0) || semctl(set, 0, IPC_RMID))
		return fail("end");

	pass();
	return 0;
}
