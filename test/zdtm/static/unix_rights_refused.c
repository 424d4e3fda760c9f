#include "zdtmtst.h"
#include "unixprop.h"

const char *test_doc = "A descriptor on its way in a message is refused, and arrives afterwards";

int main(int argc, char **argv)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = { .bytes = { 0 } };
	char byte = 'x';
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
	int pair[2], sent[2], got;

	test_init(argc, argv);

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) || pipe(sent))
		return pr_perror("socketpair");
	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &sent[0], sizeof(int));
	if (send_sequence(pair[0], 0, 10) || sendmsg(pair[0], &msg, 0) != 1 || close(sent[0]))
		return pr_perror("sendmsg");

	test_daemon();
	test_waitsig();

	if (recv_sequence(pair[1], 0, 10, MSG_WAITALL))
		return fail("content");
	msg.msg_controllen = sizeof(control);
	if (recvmsg(pair[1], &msg, MSG_DONTWAIT) != 1 || byte != 'x' || !CMSG_FIRSTHDR(&msg))
		return fail("the message is gone");
	memcpy(&got, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(int));
	if (write(sent[1], "y", 1) != 1 || read(got, &byte, 1) != 1 || byte != 'y')
		return fail("the descriptor is another one");
	if (option_of(pair[1], SO_PEEK_OFF) != -1)
		return fail("SO_PEEK_OFF is set");

	pass();
	return 0;
}
