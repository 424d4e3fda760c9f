#include "zdtmtst.h"
#include "kids.h"
#include "unixprop.h"

const char *test_doc =
	"SO_PEERCRED of unix pairs, made by parent, child and one that has ended; senders of queued messages";

static int mine[2], others[2], gone[2], dgram[2];
static struct ucred before[3];

/* A pair of another process, over SCM_RIGHTS. */
static int make_as_child(int ret[2])
{
	union {
		char bytes[CMSG_SPACE(2 * sizeof(int))];
		struct cmsghdr align;
	} control = { .bytes = { 0 } };
	char byte = 0;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
	};
	int way[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, way))
		return -1;
	pid = fork();
	if (!pid) {
		int pair[2];
		struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(2 * sizeof(int));
		if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
			_exit(1);
		memcpy(CMSG_DATA(cmsg), pair, sizeof(pair));
		_exit(sendmsg(way[1], &msg, 0) != 1);
	}
	if (recvmsg(way[0], &msg, 0) != 1 || waitpid(pid, NULL, 0) != pid)
		return -1;
	memcpy(ret, CMSG_DATA(CMSG_FIRSTHDR(&msg)), 2 * sizeof(int));
	return close(way[0]) || close(way[1]);
}

static struct ucred creds_of(int fd)
{
	struct ucred creds = { 0 };
	socklen_t bytes = sizeof(creds);

	getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &creds, &bytes);
	return creds;
}

static int same(struct ucred a, struct ucred b)
{
	if (a.pid == b.pid && a.uid == b.uid && a.gid == b.gid)
		return 1;
	pr_err("process %d, user %d, group %d became %d, %d, %d\n", a.pid, a.uid, a.gid, b.pid, b.uid, b.gid);
	return 0;
}

/* The child's message stands behind the parent's. */
static int prepare(void *arg)
{
	(void)arg;
	return send_sequence(dgram[0], 10, 10) || send_sequence(mine[0], 10, 10);
}

static int check(void *arg)
{
	(void)arg;
	return 0;
}

static int recv_from(int fd, size_t from, pid_t pid)
{
	union {
		char bytes[CMSG_SPACE(sizeof(struct ucred))];
		struct cmsghdr align;
	} control;
	unsigned char buf[64];
	struct iovec iov = { .iov_base = buf, .iov_len = sizeof(buf) };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
	};
	struct cmsghdr *cmsg;
	struct ucred creds;

	if (recvmsg(fd, &msg, MSG_DONTWAIT) != 10 || buf[0] != sequence_byte(from))
		return fail("message %zu", from);
	cmsg = CMSG_FIRSTHDR(&msg);
	if (!cmsg || cmsg->cmsg_type != SCM_CREDENTIALS)
		return fail("message %zu without credentials", from);
	memcpy(&creds, CMSG_DATA(cmsg), sizeof(creds));
	return same((struct ucred){ pid, getuid(), getgid() }, creds) ? 0 : fail("message %zu", from);
}

int main(int argc, char **argv)
{
	int on = 1;
	pid_t kid;

	test_init(argc, argv);

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, mine) || socketpair(AF_UNIX, SOCK_DGRAM, 0, dgram) ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET, 0, others) || make_as_child(gone))
		return pr_perror("socketpair");
	if (setsockopt(dgram[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) ||
	    setsockopt(mine[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)))
		return pr_perror("SO_PASSCRED");
	if (send_sequence(dgram[0], 0, 10) || send_sequence(mine[0], 0, 10))
		return pr_perror("send");
	kid = kid_start(prepare, check, NULL);
	if (kid < 0)
		return 1;
	before[0] = creds_of(mine[0]);
	before[1] = creds_of(others[1]);
	before[2] = creds_of(gone[0]);

	test_daemon();
	test_waitsig();

	if (!same(before[0], creds_of(mine[0])) || !same(before[0], creds_of(mine[1])) || before[0].pid != getpid())
		return fail("SO_PEERCRED of a pair of this process");
	if (!same(before[1], creds_of(others[0])))
		return fail("SO_PEERCRED of a seqpacket pair");
	if (!same(before[2], creds_of(gone[1])) || before[2].pid == getpid())
		return fail("SO_PEERCRED of a pair that another process made");
	if (recv_from(dgram[1], 0, getpid()) || recv_from(dgram[1], 10, kid) || recv_from(mine[1], 0, getpid()) ||
	    recv_from(mine[1], 10, kid))
		return 1;
	if (kid_finish(kid))
		return fail("child");

	pass();
	return 0;
}
