#include <signal.h>
#include <sys/wait.h>

#include "taskutil.h"
#include "zdtmtst.h"

const char *test_doc = "Dumped while two processes answer each other's queued signals: none is lost, none comes twice";
const char *test_author = "The criu team";

/* The ball is a counter that grows by one with every stroke; @expected is what this side must see next. */
static volatile int expected, bad, stop;
static volatile sig_atomic_t strokes;
static volatile pid_t partner;

static void stroke(int value)
{
	union sigval v = { .sival_int = value };

	if (sigqueue(partner, SIGRTMIN + 1, v))
		bad = 1;
}

static void handler(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)context;
	if (info->si_code != SI_QUEUE || info->si_pid != partner || info->si_value.sival_int != expected)
		bad = 1;
	expected += 2;
	strokes++;
	if (!stop)
		stroke(info->si_value.sival_int + 1);
}

static int play(int first)
{
	struct sigaction sa = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_RESTART };

	expected = first;
	return sigaction(SIGRTMIN + 1, &sa, NULL) ? pr_perror("sigaction") : 0;
}

static int set_child(void)
{
	partner = getppid();
	return play(1);
}

static int check_child(void)
{
	return bad ? fail("the child saw a wrong signal before number %d", expected) : 0;
}

int main(int argc, char **argv)
{
	int before, i;
	pid_t pid;

	test_init(argc, argv);
	pid = child_start(set_child, check_child);
	partner = pid;
	if (pid < 0 || play(2))
		return 1;
	stroke(1);

	test_daemon();
	test_waitsig();

	/* Still playing? */
	before = strokes;
	for (i = 0; i < 1000 && strokes < before + 10; i++)
		usleep(10000);
	if (strokes < before + 10)
		return fail("the game has stopped after %d strokes", strokes);
	stop = 1;
	if (bad)
		return fail("a wrong signal before number %d", expected);
	if (child_finish(pid))
		return 1;
	pass();
	return 0;
}
