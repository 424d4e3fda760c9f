/* Netlink sockets of an image: numbers that no kernel gave are turned down. */
#include <sys/socket.h>

#include "files/files-internal.h"
#include "util/test.h"

static void test_validate(void)
{
	SkOptsEntry opts = SK_OPTS_ENTRY__INIT;
	NetlinkSkEntry nlsk = NETLINK_SK_ENTRY__INIT;
	FileEntry entry = FILE_ENTRY__INIT;

	CHECK_EQ(netlink_kind.validate(NULL, &entry), -EINVAL);
	entry.nlsk = &nlsk;
	CHECK_EQ(netlink_kind.validate(NULL, &entry), -EINVAL);
	nlsk.opts = &opts;
	CHECK_EQ(netlink_kind.validate(NULL, &entry), 0);
	nlsk.dst_group = 33;
	CHECK_EQ(netlink_kind.validate(NULL, &entry), -EINVAL);
	nlsk.dst_group = 32;
	nlsk.protocol = 32;
	CHECK_EQ(netlink_kind.validate(NULL, &entry), -EINVAL);
	nlsk.protocol = 31;
	nlsk.n_groups = 1 << 20;
	CHECK_EQ(netlink_kind.validate(NULL, &entry), -EINVAL);
	nlsk.n_groups = 0;
	nlsk.has_type = true;
	nlsk.type = SOCK_STREAM;
	CHECK_EQ(netlink_kind.validate(NULL, &entry), -EINVAL);
	nlsk.type = SOCK_DGRAM;
	CHECK_EQ(netlink_kind.validate(NULL, &entry), 0);
	opts.so_sndbuf = UINT32_MAX;
	CHECK_EQ(netlink_kind.validate(NULL, &entry), -EINVAL);
}

int main(void)
{
	test_validate();
	return test_end();
}
