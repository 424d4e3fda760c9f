#include "zdtmtst.h"
#include "unixprop.h"

#include <stddef.h>
#include <sys/stat.h>

const char *test_doc = "Datagrams at sockets that anybody can send to come from whom they came from, in order";

char *dirname;
TEST_OPTION(dirname, string, "directory name", 1);

enum { ABSTRACT, PATH, GONE, ITSELF, NAMELESS, SENDERS };

struct end {
	int fd;
	struct sockaddr_un addr;
	socklen_t bytes;
};

/* Without a path, the kernel chooses an abstract name. */
static int make_bound(struct end *end, const char *path)
{
	end->addr = (struct sockaddr_un){ .sun_family = AF_UNIX };
	end->bytes = sizeof(end->addr.sun_family);
	if (path) {
		snprintf(end->addr.sun_path, sizeof(end->addr.sun_path), "%s/%s", dirname, path);
		end->bytes = sizeof(end->addr);
	}
	end->fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	if (end->fd < 0 || bind(end->fd, (struct sockaddr *)&end->addr, end->bytes))
		return pr_perror("bind");
	end->bytes = sizeof(end->addr);
	return getsockname(end->fd, (struct sockaddr *)&end->addr, &end->bytes);
}

static int send_to(int fd, const struct end *to, char what)
{
	return sendto(fd, &what, 1, MSG_DONTWAIT, (struct sockaddr *)&to->addr, to->bytes) == 1 ? 0
												: pr_perror("sendto");
}

/* The next datagram says who sent it and is from there. */
static int comes_from(int fd, const struct end *from, char what)
{
	struct sockaddr_un addr;
	socklen_t bytes = sizeof(addr);
	char byte;

	if (recvfrom(fd, &byte, 1, MSG_DONTWAIT, (struct sockaddr *)&addr, &bytes) != 1 || byte != what)
		return pr_perror("datagram %d does not come", what);
	if (!from->bytes)
		return bytes ? pr_err("datagram %d has a sender\n", what) : 0;
	if (bytes != from->bytes || memcmp(&addr, &from->addr, bytes))
		return pr_err("datagram %d of %u bytes is from '%s'\n", what, bytes, addr.sun_path);
	return 0;
}

static int receive_all(const struct end *target, const struct end *senders)
{
	for (int i = 0; i < 2 * SENDERS; i++)
		if (comes_from(target->fd, i % SENDERS == ITSELF ? target : &senders[i % SENDERS], i))
			return -1;
	return is_empty(target->fd) ? 0 : pr_err("there is more\n");
}

int main(int argc, char **argv)
{
	struct end targets[2] = { 0 }, senders[SENDERS] = { 0 };
	int one_way;

	test_init(argc, argv);

	if (mkdir(dirname, 0755) || make_bound(&targets[0], NULL) || make_bound(&targets[1], "target") ||
	    make_bound(&senders[ABSTRACT], NULL) || make_bound(&senders[PATH], "path") ||
	    make_bound(&senders[GONE], "gone"))
		return 1;
	senders[NAMELESS].fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	for (int k = 0; k < 2; k++)
		for (int i = 0; i < 2 * SENDERS; i++)
			if (send_to((i % SENDERS == ITSELF ? &targets[k] : &senders[i % SENDERS])->fd, &targets[k], i))
				return 1;
	/* A sender that is connected to somebody else, and one that is not there any more. */
	one_way = socket(AF_UNIX, SOCK_DGRAM, 0);
	if (connect(senders[PATH].fd, (struct sockaddr *)&targets[1].addr, targets[1].bytes) ||
	    connect(one_way, (struct sockaddr *)&targets[0].addr, targets[0].bytes))
		return pr_perror("connect");
	close(senders[GONE].fd);

	test_daemon();
	test_waitsig();

	for (int k = 0; k < 2; k++)
		if (receive_all(&targets[k], senders))
			return fail("socket %d", k);
	if (send_to(senders[NAMELESS].fd, &targets[0], 1) || send_sequence(one_way, 0, 5))
		return fail("send");
	if (comes_from(targets[0].fd, &senders[NAMELESS], 1) || recv_sequence(targets[0].fd, 0, 5, 0))
		return fail("what is sent afterwards");
	if (send_sequence(senders[PATH].fd, 0, 9) || recv_sequence(targets[1].fd, 0, 9, 0))
		return fail("the sender is not connected any more");

	pass();
	return 0;
}
