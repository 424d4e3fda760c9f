/*
 * Flows of connections, and the name of the lock.
 *
 * From the moment a connection is read until it is restored no packet of it may
 * reach the kernel: what would be received, and confirmed, after the look into the queue
 * would be lost, and a socket that is gone would be answered for with a reset.
 * A connection with both ends in the tree needs no lock: its ends are read so
 * that they agree, die silently, and are filled again before one of them sends.
 */
#include <stdio.h>
#include <string.h>

#include "files/tcp.h"

static bool is_mapped(const uint32_t *words)
{
	return !words[0] && !words[1] && words[2] == htonl(0xffff);
}

void tcp_flow(const InetSkEntry *entry, struct nft_flow *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->src_port = htons(entry->src_port);
	ret->dst_port = htons(entry->dst_port);
	ret->v6 = entry->family == AF_INET6 && !is_mapped(entry->dst_addr);
	if (ret->v6) {
		memcpy(ret->src, entry->src_addr, sizeof(ret->src));
		memcpy(ret->dst, entry->dst_addr, sizeof(ret->dst));
	} else {
		memcpy(ret->src, &entry->src_addr[entry->family == AF_INET6 ? 3 : 0], 4);
		memcpy(ret->dst, &entry->dst_addr[entry->family == AF_INET6 ? 3 : 0], 4);
	}
}

void tcp_flow_back(const struct nft_flow *flow, struct nft_flow *ret)
{
	*ret = *flow;
	memcpy(ret->src, flow->dst, sizeof(ret->src));
	memcpy(ret->dst, flow->src, sizeof(ret->dst));
	ret->src_port = flow->dst_port;
	ret->dst_port = flow->src_port;
}

/* FNV-1a: two of them make a key that no two flows of one machine share. */
static uint64_t key_of(const uint8_t addr[16], uint16_t port, bool v6)
{
	uint64_t key = 0xcbf29ce484222325 ^ v6;

	for (size_t i = 0; i < 16; i++)
		key = (key ^ addr[i]) * 0x100000001b3;
	return (key ^ port) * 0x100000001b3;
}

void tcp_flows_add(struct tcp_flows *flows, const struct nft_flow *flow, void *value)
{
	hash_put(&flows->by_key, key_of(flow->src, flow->src_port, flow->v6),
		 key_of(flow->dst, flow->dst_port, flow->v6), value);
}

void *tcp_flows_get(const struct tcp_flows *flows, const struct nft_flow *flow)
{
	return hash_get(&flows->by_key, key_of(flow->src, flow->src_port, flow->v6),
			key_of(flow->dst, flow->dst_port, flow->v6));
}

void tcp_flows_free(struct tcp_flows *flows)
{
	hash_free(&flows->by_key);
}

void net_lock_name(const char *run_id, char ret[NFT_TABLE_BYTES])
{
	snprintf(ret, NFT_TABLE_BYTES, "CRIU-%.21s", run_id);
}
