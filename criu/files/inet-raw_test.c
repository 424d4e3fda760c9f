#include <netinet/in.h>
#include <stdio.h>

#include "files/inet-sk.h"
#include "util/test.h"

static void test_parse(void)
{
	const char *v4 =
		"   1: 0100007F:0001 0200007F:0007 01 00000000:00000300 00:00000000 00000000     0        0 12345 2 "
		"0000000000000000 0\n";
	const char *v6 = "   58: 00000000000000000000000000000000:003A 00000000000000000000000001000000:0000 07 "
			 "00000000:00000000 00:00000000 00000000     0        0 77 2 0000000000000000 0\n";
	struct inet_raw raw;

	CHECK(inet_parse_raw(v4, 1, &raw));
	CHECK_EQ(raw.ino, 12345);
	CHECK_EQ(raw.state, 1);
	CHECK_EQ(raw.dst[0], 0x0200007f);
	CHECK_EQ(raw.dst_port, 7);
	CHECK(inet_parse_raw(v6, 4, &raw));
	CHECK_EQ(raw.ino, 77);
	CHECK_EQ(raw.state, 7);
	CHECK_EQ(raw.dst[2], 0);
	CHECK_EQ(raw.dst[3], 0x01000000);
	CHECK(!inet_parse_raw(v4, 4, &raw));
	CHECK(!inet_parse_raw("  sl  local_address rem_address   st tx_queue\n", 1, &raw));
	for (size_t i = 0; v4[i] != '3'; i++) {
		char cut[256];

		snprintf(cut, sizeof(cut), "%.*s", (int)i, v4);
		CHECK(!inet_parse_raw(cut, 1, &raw));
	}
}

static void test_validate(void)
{
	InetSkEntry entry = INET_SK_ENTRY__INIT;
	IpOptsEntry opts = IP_OPTS_ENTRY__INIT;
	IpOptsRawEntry raw = IP_OPTS_RAW_ENTRY__INIT;

	CHECK_EQ(inet_raw_validate(&entry), 0);
	entry.ip_opts = &opts;
	opts.raw = &raw;
	raw.n_icmpv_filter = 8;
	CHECK_EQ(inet_raw_validate(&entry), 0);
	raw.n_icmpv_filter = 9;
	CHECK_EQ(inet_raw_validate(&entry), -EINVAL);
}

int main(void)
{
	test_parse();
	test_validate();
	return test_end();
}
