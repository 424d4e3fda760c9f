#include "sock_refused.h"

const char *test_doc = "A vsock socket is refused";
const char *test_author = "The criu team";

int main(int argc, char **argv)
{
	return sock_refused_test(argc, argv, AF_VSOCK, SOCK_STREAM, 0);
}
