#include <arpa/inet.h>
#include <string.h>

#include "files/inet-sk.h"
#include "util/test.h"

int main(void)
{
	struct inet_group group;
	uint32_t interface = 0;

	CHECK(!inet_parse_igmp("Idx\tDevice    : Count Querier\tGroup    Users Timer\tReporter\n", &interface, &group));
	CHECK(!inet_parse_igmp("12\teth0      :     2      V3\n", &interface, &group));
	CHECK_EQ(interface, 12);
	CHECK(inet_parse_igmp("\t\t\t\t030201EF     1 0:00000000\t\t0\n", &interface, &group));
	CHECK_EQ(group.interface, 12);
	CHECK_EQ(group.addr.v4.sin_addr.s_addr, 0x030201ef);
	CHECK(!inet_parse_igmp("\t\t\t\t\n", &interface, &group));

	CHECK(inet_parse_igmp6("3    eth0            ff0200000000000000000000000000fb     1 0000000C 0\n", &group));
	CHECK_EQ(group.interface, 3);
	CHECK_EQ(group.addr.v6.sin6_addr.s6_addr[0], 0xff);
	CHECK_EQ(group.addr.v6.sin6_addr.s6_addr[15], 0xfb);
	CHECK(!inet_parse_igmp6("3    eth0            ff02\n", &group));
	CHECK(!inet_parse_igmp6("", &group));
	return test_end();
}
