#include "zdtmtst.h"
#include "tcpprop.h"

const char *test_doc = "Ends of TCP connections with bytes not confirmed before them: FIN_WAIT1 and LAST_ACK";

/* The other end's window is full, so the FIN behind what was written is not sent, or not confirmed. */
int main(int argc, char **argv)
{
	int fin[2], last[2];
	size_t n_fin, n_last;

	test_init(argc, argv);
	if (tcp_pair("127.0.0.1", fin) || tcp_pair("127.0.0.1", last))
		return 1;
	n_fin = send_until_full(fin[0], 0);
	if (shutdown(fin[0], SHUT_WR) || tcp_wait_state(fin[0], TCP_FIN_WAIT1))
		return pr_perror("FIN_WAIT1");
	n_last = send_until_full(last[0], 0);
	if (send_bytes(last[1], 5, 50) || shutdown(last[1], SHUT_WR) || tcp_wait_state(last[0], TCP_CLOSE_WAIT) ||
	    shutdown(last[0], SHUT_WR) || tcp_wait_state(last[0], TCP_LAST_ACK))
		return pr_perror("LAST_ACK");

	test_daemon();
	test_waitsig();

	if (tcp_state_of(fin[0]) != TCP_FIN_WAIT1 || tcp_state_of(last[0]) != TCP_LAST_ACK)
		return fail("states %u and %u", tcp_state_of(fin[0]), tcp_state_of(last[0]));
	if (recv_bytes(fin[1], 0, n_fin) || !tcp_is_at_end(fin[1]) || tcp_wait_state(fin[0], TCP_FIN_WAIT2))
		return fail("what is before the end");
	if (send_bytes(fin[1], 8, 80) || recv_bytes(fin[0], 8, 80))
		return fail("the other direction");
	if (recv_bytes(last[0], 5, 50) || !tcp_is_at_end(last[0]))
		return fail("what is before the first end");
	if (recv_bytes(last[1], 0, n_last) || !tcp_is_at_end(last[1]) || tcp_wait_state(last[0], TCP_CLOSE))
		return fail("what is before the last end");
	pass();
	return 0;
}
