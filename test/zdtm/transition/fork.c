#include <sys/wait.h>

#include "taskutil.h"
#include "zdtmtst.h"

const char *test_doc = "Dumped in the middle of forking: every child comes, says its number and ends as it should";
const char *test_author = "The criu team";

#define BATCH 4

static int batch(int round)
{
	pid_t pids[BATCH];
	int i, status;

	for (i = 0; i < BATCH; i++) {
		pids[i] = fork();
		if (pids[i] < 0)
			return fail("fork");
		if (!pids[i])
			_exit((round + i) & 0x7f);
	}
	for (i = 0; i < BATCH; i++) {
		if (TEMP_FAILURE_RETRY(waitpid(pids[i], &status, 0)) != pids[i])
			return fail("round %d: waitpid %d", round, pids[i]);
		if (status != ((round + i) & 0x7f) << 8)
			return fail("round %d: child %d ended with wait status %#x", round, i, status);
	}
	return 0;
}

int main(int argc, char **argv)
{
	int round = 0;

	test_init(argc, argv);
	test_daemon();
	while (test_go())
		if (batch(round++))
			return 1;
	if (batch(round))
		return 1;
	if (waitpid(-1, NULL, WNOHANG) != -1 || errno != ECHILD)
		return fail("there is a child too many");
	pass();
	return 0;
}
