#include <pthread.h>
#include <sys/resource.h>

#include "zdtmtst.h"
#include "unixprop.h"

const char *test_doc =
	"Bytes on a connection that is accepted soon delay a dump, which has a few tries, but do not prevent it";

static int listener, server = -1;

/* How often this thread has gone to sleep, or was stopped. */
static long count_sleeps(void)
{
	struct rusage usage;

	return getrusage(RUSAGE_THREAD, &usage) ? -1 : usage.ru_nvcsw;
}

/* Once the tree was stopped, and runs again: there was more than the sleep. */
static void *accept_late(void *arg)
{
	long before;

	(void)arg;
	do {
		before = count_sleeps();
		usleep(1000);
	} while (count_sleeps() - before < 2);
	server = accept(listener, NULL, NULL);
	return NULL;
}

int main(int argc, char **argv)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	socklen_t bytes = sizeof(addr);
	pthread_t late;
	int client;

	test_init(argc, argv);

	listener = socket(AF_UNIX, SOCK_STREAM, 0);
	client = socket(AF_UNIX, SOCK_STREAM, 0);
	if (bind(listener, (struct sockaddr *)&addr, sizeof(addr.sun_family)) || listen(listener, 1) ||
	    getsockname(listener, (struct sockaddr *)&addr, &bytes) ||
	    connect(client, (struct sockaddr *)&addr, bytes) || send_sequence(client, 0, 10))
		return pr_perror("connect");
	if (pthread_create(&late, NULL, accept_late, NULL))
		return pr_perror("thread");

	test_daemon();
	test_waitsig();

	if (pthread_join(late, NULL) || server < 0)
		return fail("it was not accepted");
	if (recv_sequence(server, 0, 10, 0) || talk(server, client))
		return fail("the connection");

	pass();
	return 0;
}
