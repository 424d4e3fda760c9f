#include "zdtmtst.h"
#include "udpprop.h"

const char *test_doc = "Datagrams that wait at UDP sockets, empty ones and of several senders: complete, and in order";

struct set {
	const char *ip;
	int receiver, first, second, gone, last, port;
	struct expected expected;
};

/* Its sender is closed before the dump. */
static int send_and_close(struct set *set, int number, size_t bytes)
{
	int fd = new_socket(set->ip, SOCK_DGRAM);
	int err = bind_to(fd, set->ip, 0);

	err = err ?: send_expected(&set->expected, fd, set->ip, set->port, number, bytes);
	close(fd);
	return err;
}

static int fill(struct set *set, int connected)
{
	struct expected *expected = &set->expected;
	const int port = port_of(set->receiver);
	int err;

	set->port = port;
	err = send_expected(expected, set->first, set->ip, port, 0, 0);
	err = err ?: send_expected(expected, set->second, set->ip, port, 1, 10);
	err = err ?: send_expected(expected, set->first, set->ip, port, 2, 60000);
	err = err ?: send_expected(expected, set->second, set->ip, port, 3, 0);
	err = err ?: send_expected(expected, set->second, set->ip, port, 4, 0);
	err = err ?: send_and_close(set, 5, 1);
	err = err ?: send_expected(expected, set->second, set->ip, port, 6, 9000);
	/* What waits already stays. */
	if (!err && connected && connect_to(set->receiver, set->ip, port_of(set->first)))
		return pr_perror("connect"), -1;
	for (int i = 7; i < 20 && !err; i++)
		err = send_expected(expected, set->first, set->ip, port, i, i * 3);
	return err ?: send_expected(expected, set->first, set->ip, port, 20, 0);
}

static int start(struct set *set, const char *ip, const char *bound, int connected)
{
	set->ip = ip;
	set->receiver = new_socket(ip, SOCK_DGRAM);
	set->first = new_socket(ip, SOCK_DGRAM);
	set->second = new_socket(ip, SOCK_DGRAM);
	if (bind_to(set->receiver, bound, 0) || bind_to(set->first, ip, 0) || bind_to(set->second, ip, 0)) {
		pr_perror("bind");
		return -1;
	}
	return fill(set, connected);
}

static int check(struct set *set, int connected)
{
	const int port = port_of(set->receiver);

	if (port != set->port)
		return fail("port %d, not %d", port, set->port), -1;
	/* What is new comes behind what has waited; of others a connected socket receives nothing. */
	if (send_expected(&set->expected, set->first, set->ip, port, 30, 33))
		return -1;
	if (!connected && send_expected(&set->expected, set->second, set->ip, port, 31, 0))
		return -1;
	if (connected && send_datagram(set->second, set->ip, port, 31, 0))
		return -1;
	return recv_all_expected(&set->expected, set->receiver);
}

int main(int argc, char **argv)
{
	static struct set sets[6];
	static const struct {
		const char *ip, *bound;
		int connected;
	} kinds[] = {
		{ "127.0.0.1", "127.0.0.1", 0 },
		{ "127.0.0.1", "0.0.0.0", 1 },
		{ "127.0.0.1", "0.0.0.0", 0 },
		{ "::1", "::1", 0 },
		{ "::1", "::", 1 },
		{ "::1", "::", 0 },
	};

	int pair[2];
	char buf[4];

	test_init(argc, argv);
	for (int i = 0; i < 6; i++)
		if (start(&sets[i], kinds[i].ip, kinds[i].bound, kinds[i].connected))
			return 1;
	/* Records behind each other are looked at in the same way. */
	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) || send(pair[0], "a", 1, 0) != 1 ||
	    send(pair[0], "bc", 2, 0) != 2)
		return pr_perror("unix sockets");
	/* It says itself where the next look begins. */
	if (set_option(sets[0].receiver, SOL_SOCKET, SO_PEEK_OFF, 10))
		return pr_perror("SO_PEEK_OFF");

	test_daemon();
	test_waitsig();

	if (int_option(sets[0].receiver, SOL_SOCKET, SO_PEEK_OFF) != 10)
		return fail("SO_PEEK_OFF is %d", int_option(sets[0].receiver, SOL_SOCKET, SO_PEEK_OFF));
	for (int i = 1; i < 6; i++)
		if (int_option(sets[i].receiver, SOL_SOCKET, SO_PEEK_OFF) != -1 ||
		    int_option(sets[i].receiver, SOL_SOCKET, SO_RCVBUF) !=
			    int_option(sets[i].first, SOL_SOCKET, SO_RCVBUF))
			return fail("SO_PEEK_OFF or SO_RCVBUF of socket %d", i);
	for (int i = 0; i < 6; i++)
		if (check(&sets[i], kinds[i].connected))
			return fail("%s, bound to %s%s", kinds[i].ip, kinds[i].bound,
				    kinds[i].connected ? ", connected" : "");
	if (recv(pair[1], buf, sizeof(buf), MSG_DONTWAIT) != 1 || recv(pair[1], buf, sizeof(buf), MSG_DONTWAIT) != 2)
		return fail("unix sockets");
	pass();
	return 0;
}
