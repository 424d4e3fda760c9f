#include <fcntl.h>
#include <linux/io_uring.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "zdtmtst.h"
#include "fileprop.h"
#include "kids.h"
#include "taskutil.h"
#include "tcpprop.h"

const char *test_doc =
	"Reasons of all kinds, in two tasks, against one dump: all of them are told at once, and nothing is touched";

char *filename;
TEST_OPTION(filename, string, "file name", 1);

static int open_ring(void)
{
	struct io_uring_params params = { 0 };

	return (int)syscall(SYS_io_uring_setup, 4, &params);
}

/* The child: a connection, and memory of a kernel object whose descriptor is closed. */
static int prepare(void *arg)
{
	int ring = open_ring();

	if (ring < 0 || mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, ring, 0) == MAP_FAILED || close(ring))
		return pr_perror("ring");
	return tcp_pair("127.0.0.1", arg);
}

static int check(void *arg)
{
	int *ends = arg;

	return tcp_talk(ends[0], ends[1]) ? fail("child: the connection") : 0;
}

int main(int argc, char **argv)
{
	char gone[4096], kept[4096];
	int locked, linked, big, ends[2], unread[2], waiting, accepted;
	pid_t child;

	test_init(argc, argv);

	ssprintf(gone, "%s.gone", filename);
	ssprintf(kept, "%s.kept", filename);
	big = open_ring();
	if (big < 0) {
		skip("no io_uring: %m");
		return skipped_test();
	}
	close(big);
	child = kid_start(prepare, check, ends);
	locked = file_create(filename, O_RDWR, 0644);
	linked = file_create(gone, O_RDWR, 0644);
	if (child < 0 || locked < 0 || linked < 0 || flock(locked, LOCK_EX) || link(gone, kept) || unlink(gone))
		return pr_perror("files");
	big = file_create(gone, O_RDWR, 0644);
	if (big < 0 || posix_fallocate(big, 0, 4 << 20) || unlink(gone))
		return pr_perror("a large deleted file");
	/* A connection that waits. */
	waiting = new_socket("127.0.0.1", SOCK_STREAM);
	unread[0] = new_socket("127.0.0.1", SOCK_STREAM);
	if (bind_to(waiting, "127.0.0.1", 0) || listen(waiting, 1) ||
	    connect_to(unread[0], "127.0.0.1", port_of(waiting)))
		return pr_perror("connect");

	test_daemon();
	test_waitsig();

	accepted = accept(waiting, NULL, NULL);
	if (accepted < 0 || tcp_talk(unread[0], accepted))
		return fail("the connection that waited");
	if (flock(open(filename, O_RDWR), LOCK_EX | LOCK_NB) != -1 || errno != EWOULDBLOCK)
		return fail("the lock");
	if (unlink(kept) || kid_finish(child))
		return fail("the rest");
	pass();
	return 0;
}
