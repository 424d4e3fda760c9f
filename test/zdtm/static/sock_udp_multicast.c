#include <net/if.h>

#include "zdtmtst.h"
#include "inetprop.h"

const char *test_doc = "UDP sockets are in the multicast groups they have joined, with their filters, and in no others";

static int join(int fd, int level, const char *group)
{
	union inetprop_addr addr;
	struct group_req request = { .gr_interface = if_nametoindex("lo") };

	addr_of(&addr, group, 0);
	memcpy(&request.gr_group, &addr, sizeof(addr));
	return setsockopt(fd, level, MCAST_JOIN_GROUP, &request, sizeof(request));
}

/* 0: not in the group; 1 + the number of sources in its filter. */
static int membership(int fd, int level, const char *group)
{
	char bytes[GROUP_FILTER_SIZE(4)] = "";
	struct group_filter *filter = (void *)bytes;
	socklen_t n = sizeof(bytes);
	union inetprop_addr addr;

	addr_of(&addr, group, 0);
	memcpy(&filter->gf_group, &addr, sizeof(addr));
	filter->gf_interface = if_nametoindex("lo");
	filter->gf_numsrc = 4;
	return getsockopt(fd, level, MCAST_MSFILTER, filter, &n) ? 0 : 1 + (int)filter->gf_numsrc;
}

/* Lets through what comes from one source only. */
static int filter_source(int fd, const char *group, const char *source)
{
	union inetprop_addr group_addr, source_addr;
	struct group_source_req request = { .gsr_interface = if_nametoindex("lo") };

	addr_of(&group_addr, group, 0);
	addr_of(&source_addr, source, 0);
	memcpy(&request.gsr_group, &group_addr, sizeof(group_addr));
	memcpy(&request.gsr_source, &source_addr, sizeof(source_addr));
	return setsockopt(fd, IPPROTO_IP, MCAST_JOIN_SOURCE_GROUP, &request, sizeof(request));
}

static int check(int any, int filtered, int v6, int none)
{
	return membership(any, IPPROTO_IP, "239.1.2.3") == 1 && membership(any, IPPROTO_IP, "239.1.2.4") == 0 &&
	       membership(filtered, IPPROTO_IP, "239.1.2.4") == 2 &&
	       membership(filtered, IPPROTO_IP, "239.1.2.3") == 0 && membership(v6, IPPROTO_IPV6, "ff15::77") == 1 &&
	       membership(none, IPPROTO_IP, "239.1.2.3") == 0;
}

int main(int argc, char **argv)
{
	int any = new_socket("127.0.0.1", SOCK_DGRAM), filtered = new_socket("127.0.0.1", SOCK_DGRAM),
	    v6 = new_socket("::1", SOCK_DGRAM), none = new_socket("127.0.0.1", SOCK_DGRAM);
	const struct in_addr lo = { htonl(INADDR_LOOPBACK) };

	test_init(argc, argv);
	if (bind_to(any, "0.0.0.0", 0) || join(any, IPPROTO_IP, "239.1.2.3") ||
	    filter_source(filtered, "239.1.2.4", "127.0.0.1") || join(v6, IPPROTO_IPV6, "ff15::77") ||
	    setsockopt(none, IPPROTO_IP, IP_MULTICAST_IF, &lo, sizeof(lo)))
		return pr_perror("joining");
	if (!check(any, filtered, v6, none))
		return pr_err("not in the groups joined\n");

	test_daemon();
	test_waitsig();

	if (!check(any, filtered, v6, none))
		return fail("%d %d %d", membership(any, IPPROTO_IP, "239.1.2.3"),
			    membership(filtered, IPPROTO_IP, "239.1.2.4"), membership(v6, IPPROTO_IPV6, "ff15::77"));
	if (connect_to(none, "239.1.2.3", port_of(any)) || !datagram_arrives(none, any))
		return fail("nothing arrives");
	pass();
	return 0;
}
