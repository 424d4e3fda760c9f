#include "zdtmtst.h"
#include "unixprop.h"

const char *test_doc = "Datagrams that nobody could send again in the same name are refused, and stay there";

/* An abstract name of the kernel's choice. */
static int make_bound(struct sockaddr_un *addr, socklen_t *bytes)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

	*addr = (struct sockaddr_un){ .sun_family = AF_UNIX };
	*bytes = sizeof(*addr);
	if (fd < 0 || bind(fd, (struct sockaddr *)addr, sizeof(addr->sun_family)) ||
	    getsockname(fd, (struct sockaddr *)addr, bytes))
		return -1;
	return fd;
}

int main(int argc, char **argv)
{
	struct sockaddr_un addr, others;
	socklen_t bytes, others_bytes;
	int bound, sender;

	test_init(argc, argv);

	bound = make_bound(&addr, &bytes);
	sender = make_bound(&others, &others_bytes);
	if (bound < 0 || sender < 0 || connect(sender, (struct sockaddr *)&addr, bytes) ||
	    send_sequence(sender, 0, 10) || send_sequence(sender, 10, 20))
		return pr_perror("send");
	close(sender);

	test_daemon();
	test_waitsig();

	if (recv_sequence(bound, 0, 10, 0) || recv_sequence(bound, 10, 20, 0) || !is_empty(bound))
		return fail("content");

	pass();
	return 0;
}
