#include "zdtmtst.h"
#include "inetprop.h"

const char *test_doc = "Several sockets share a port: listening with SO_REUSEPORT, bound with SO_REUSEADDR, UDP";

static int reusing(int type, int name, int port)
{
	int fd = new_socket("127.0.0.1", type);

	if (set_option(fd, SOL_SOCKET, name, 1) || bind_to(fd, "127.0.0.1", port))
		pr_perror("bind to %d", port);
	return fd;
}

int main(int argc, char **argv)
{
	int listeners[3], bound[2], udp[2], late;

	test_init(argc, argv);
	listeners[0] = reusing(SOCK_STREAM, SO_REUSEPORT, 0);
	listeners[1] = reusing(SOCK_STREAM, SO_REUSEPORT, port_of(listeners[0]));
	listeners[2] = reusing(SOCK_STREAM, SO_REUSEPORT, port_of(listeners[0]));
	bound[0] = reusing(SOCK_STREAM, SO_REUSEADDR, 0);
	bound[1] = reusing(SOCK_STREAM, SO_REUSEADDR, port_of(bound[0]));
	udp[0] = reusing(SOCK_DGRAM, SO_REUSEADDR, 0);
	udp[1] = reusing(SOCK_DGRAM, SO_REUSEADDR, port_of(udp[0]));
	for (int i = 0; i < 3; i++)
		if (listen(listeners[i], 3))
			return pr_perror("listen");
	/* The rule by which it was bound does not show any more. */
	if (set_option(bound[1], SOL_SOCKET, SO_REUSEADDR, 0))
		return pr_perror("SO_REUSEADDR");

	test_daemon();
	test_waitsig();

	for (int i = 0; i < 3; i++)
		if (port_of(listeners[i]) != port_of(listeners[0]) ||
		    int_option(listeners[i], SOL_SOCKET, SO_REUSEADDR) ||
		    int_option(listeners[i], SOL_SOCKET, SO_REUSEPORT) != 1)
			return fail("listener %d: port %d, SO_REUSEADDR or SO_REUSEPORT", i, port_of(listeners[i]));
	if (port_of(bound[0]) != port_of(bound[1]) || int_option(bound[0], SOL_SOCKET, SO_REUSEADDR) != 1 ||
	    int_option(bound[1], SOL_SOCKET, SO_REUSEADDR) || int_option(bound[0], SOL_SOCKET, SO_REUSEPORT))
		return fail("the bound ones");
	if (port_of(udp[0]) != port_of(udp[1]) || int_option(udp[0], SOL_SOCKET, SO_REUSEPORT))
		return fail("the UDP ones");
	/* One more of the same user may join. */
	late = reusing(SOCK_STREAM, SO_REUSEPORT, port_of(listeners[0]));
	if (port_of(late) != port_of(listeners[0]) || listen(late, 1))
		return fail("nobody can join the listeners any more");
	close(late);
	close(listeners[1]);
	close(listeners[2]);
	if (!listener_accepts(listeners[0], "127.0.0.1"))
		return fail("the last listener does not accept");
	listeners[1] = listeners[2] = -1;
	pass();
	return 0;
}
