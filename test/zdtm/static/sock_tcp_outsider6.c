#define HOST "::1"
#include "sock_tcp_outsider.c"
