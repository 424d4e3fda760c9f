/* Packet sockets of an image: numbers that no kernel gave are turned down. */
#include <sys/socket.h>

#include "files/files-internal.h"
#include "util/test.h"

static void test_validate(void)
{
	SkOptsEntry opts = SK_OPTS_ENTRY__INIT;
	PacketSockEntry psk = PACKET_SOCK_ENTRY__INIT;
	PacketMclist member = PACKET_MCLIST__INIT, *members[] = { &member };
	PacketRing ring = PACKET_RING__INIT;
	FileEntry entry = FILE_ENTRY__INIT;

	CHECK_EQ(packet_kind.validate(NULL, &entry), -EINVAL);
	entry.psk = &psk;
	psk.type = SOCK_RAW;
	CHECK_EQ(packet_kind.validate(NULL, &entry), -EINVAL);
	psk.opts = &opts;
	CHECK_EQ(packet_kind.validate(NULL, &entry), 0);
	psk.type = SOCK_STREAM;
	CHECK_EQ(packet_kind.validate(NULL, &entry), -EINVAL);
	psk.type = SOCK_DGRAM;
	psk.protocol = 65536;
	CHECK_EQ(packet_kind.validate(NULL, &entry), -EINVAL);
	psk.protocol = 65535;
	psk.mclist = members;
	psk.n_mclist = 1;
	member.addr.len = 32;
	CHECK_EQ(packet_kind.validate(NULL, &entry), 0);
	member.addr.len = 33;
	CHECK_EQ(packet_kind.validate(NULL, &entry), -EINVAL);
	member.addr.len = 0;
	psk.tx_ring = &ring;
	CHECK_EQ(packet_kind.validate(NULL, &entry), -ENOTSUP);
}

int main(void)
{
	test_validate();
	return test_end();
}
