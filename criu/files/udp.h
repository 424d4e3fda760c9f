/* Datagrams that wait at UDP sockets, between the files of internet sockets. */
#ifndef CRIU_FILES_UDP_H
#define CRIU_FILES_UDP_H

#include <ifaddrs.h>

#include "files/inet-sk.h"

/* The longest datagram over IPv6. */
#define UDP_BYTES_MAX (UINT16_MAX - 8)

/* --- dump (udp-queue.c) --------------------------------------------------------- */

/** udp_queue_plan - warn of what can't be kept. */
void udp_queue_plan(const struct file_desc *desc);
/** udp_queue_dump - what waits at @desc, into the model; the queue is left as it is. Other sockets have none. */
int must_check udp_queue_dump(struct files_dump *ctx, const struct file_desc *desc);

/* --- restore (udp-queue.c) ------------------------------------------------------- */

/** udp_queue_validate - one untrusted datagram; @file: the socket that it waits at. */
int must_check udp_queue_validate(const SkPacketEntry *packet, const FileEntry *file);

/**
 * udp_fill_all - make the sockets at which datagrams wait, with them, and bound to nothing yet
 * What can't be put back is warned of. To be called before any other socket of the tree is made.
 * Return: 0 or logged -errno.
 */
int must_check udp_fill_all(struct files_restore *ctx);

/* --- sending (udp-send.c) ---------------------------------------------------------- */

/* What sends to ourselves in anybody's name. */
struct udp_sender {
	int fds[2];	     /* raw sockets for IPv4, IPv6; -1: not made yet; owned */
	struct ifaddrs *own; /* our addresses; owned */
};

#define UDP_SENDER_INIT                                                                                                \
	{                                                                                                              \
		.fds = { -1, -1 }                                                                                      \
	}

void udp_sender_free(struct udp_sender *sender);

/**
 * udp_send - let a datagram arrive at @port of ours, with the mark NFT_PASS_MARK
 * @bound: what the socket that receives it is to be bound to
 * Return: 0; -errno, with why in @ret_why. If it was dropped on its way, nothing tells.
 */
int must_check udp_send(struct udp_sender *sender, const struct sk_packet_image *packet, const union inet_addr *bound,
			uint16_t port, const char **ret_why);

/** udp_source - who sent @packet, IPv4 as such; the device of a link-local sender is looked up. 0, or -errno, not logged. */
int must_check udp_source(const InetPacketEntry *packet, union inet_addr *ret);

#endif
