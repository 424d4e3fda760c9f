#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "zdtmtst.h"

const char *test_doc = "A packet socket with a ring, mapped or not, is refused, and keeps it";

#define BLOCK 4096

int main(int argc, char **argv)
{
	struct tpacket_req ring = {
		.tp_block_size = BLOCK, .tp_block_nr = 2, .tp_frame_size = BLOCK / 2, .tp_frame_nr = 4
	};
	char *map;
	int fd;

	test_init(argc, argv);

	fd = socket(AF_PACKET, SOCK_RAW, 0);
	if (fd < 0 || setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &ring, sizeof(ring)))
		return pr_perror("packet socket");
#ifdef PACKET_RING_MAPPED
	map = mmap(NULL, 2 * BLOCK, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		return pr_perror("mmap");
#endif

	test_daemon();
	test_waitsig();

#ifndef PACKET_RING_MAPPED
	map = mmap(NULL, 2 * BLOCK, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		return fail("the ring is gone: %m");
#endif
	if (((struct tpacket_hdr *)map)->tp_status != TP_STATUS_KERNEL)
		return fail("the first frame is not the kernel's");

	pass();
	return 0;
}
