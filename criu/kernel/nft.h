/*
 * A packet filter that keeps the packets of some TCP connections from arriving and from leaving: a table
 * of nf_tables (family inet) with the sets conns4 and conns6, and two chains that drop what is in
 * them. Packets with the mark NFT_PASS_MARK pass.
 *
 * Spoken over netlink, without a library: a table is made in one transaction, and deleted
 * by a process that may not allocate memory.
 */
#ifndef CRIU_KERNEL_NFT_H
#define CRIU_KERNEL_NFT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/macros.h"

#define NFT_PASS_MARK	0xC114
#define NFT_TABLE_BYTES 32 /* most that a table's name takes, with its NUL byte */

/* One direction of a connection: all in the byte order of the network. */
struct nft_flow {
	bool v6;
	uint8_t src[16], dst[16]; /* of IPv4 the first four */
	uint16_t src_port, dst_port;
};

/** nft_usable - may we make tables in our network namespace? 0 or -errno, not logged. */
int must_check nft_usable(void);

/** nft_find - is there a table @name? 0; -errno, not logged; -ENOENT: there is none. */
int must_check nft_find(const char *name);

/** nft_lock - make table @name, which drops @flows; nothing is left of it after a (logged) error; -EEXIST silently. */
int must_check nft_lock(const char *name, const struct nft_flow *flows, size_t n);

/** nft_unlock - delete table @name; -errno, not logged; -ENOENT: there is none. Async-signal-safe. */
int must_check nft_unlock(const char *name);

#endif
