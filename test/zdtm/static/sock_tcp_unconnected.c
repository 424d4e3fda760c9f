#include "zdtmtst.h"
#include "inetprop.h"

const char *test_doc = "TCP sockets that were never connected: new ones, and one that is bound";

int main(int argc, char **argv)
{
	int bound = new_socket("127.0.0.1", SOCK_STREAM), fresh = new_socket("127.0.0.1", SOCK_STREAM),
	    fresh6 = new_socket("::1", SOCK_STREAM), other = new_socket("127.0.0.1", SOCK_STREAM);
	struct inet_view view_bound, view_fresh;

	test_init(argc, argv);
	if (bind_to(bound, "127.0.0.1", 0))
		return pr_perror("bind");
	view_bound = view_of(bound);
	view_fresh = view_of(fresh);

	test_daemon();
	test_waitsig();

	if (view_differs(&view_bound, bound, "the bound one") || view_differs(&view_fresh, fresh, "the new one"))
		return fail("address or state");
	if (!bind_to(other, "127.0.0.1", port_of(bound)) || errno != EADDRINUSE)
		return fail("the port is free");
	if (listen(bound, 2) || connect_to(fresh, "127.0.0.1", port_of(bound)))
		return fail("they do not come together");
	if (!connect_to(fresh6, "::1", port_of(bound)) || errno != ECONNREFUSED)
		return fail("somebody listens at ::1");
	pass();
	return 0;
}
