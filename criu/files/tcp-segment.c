/* A TCP segment without data, sent to ourselves in the name of the other end. */
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/tcp.h>
#include <string.h>

#include "files/tcp.h"

static uint32_t sum_words(const void *data, size_t bytes, uint32_t sum)
{
	const uint8_t *at = data;

	for (size_t i = 0; i + 1 < bytes; i += 2)
		sum += at[i] << 8 | at[i + 1];
	return sum;
}

/* RFC 9293 3.1: over addresses, protocol, length and the segment. */
static uint16_t checksum(const struct nft_flow *flow, const uint8_t *segment)
{
	const size_t addr_bytes = flow->v6 ? 16 : 4;
	uint32_t sum = IPPROTO_TCP + TCP_SEGMENT_BYTES;

	sum = sum_words(flow->src, addr_bytes, sum);
	sum = sum_words(flow->dst, addr_bytes, sum);
	sum = sum_words(segment, TCP_SEGMENT_BYTES, sum);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

void tcp_segment_fill(const struct tcp_segment *segment, uint8_t ret[TCP_SEGMENT_BYTES])
{
	struct tcphdr header = {
		.source = segment->flow.src_port,
		.dest = segment->flow.dst_port,
		.seq = htonl(segment->seq),
		.ack_seq = htonl(segment->ack),
		.doff = TCP_SEGMENT_BYTES / 4,
		.ack = 1,
		.fin = segment->fin,
		.window = htons(segment->window),
	};

	memcpy(ret, &header, sizeof(header));
	header.check = htons(checksum(&segment->flow, ret));
	memcpy(ret, &header, sizeof(header));
}

static int send_v4(int fd, const struct tcp_segment *segment)
{
	struct sockaddr_in to = { .sin_family = AF_INET };
	struct {
		struct iphdr ip;
		uint8_t tcp[TCP_SEGMENT_BYTES];
	} packet = {
		.ip = { .version = 4, .ihl = 5, .ttl = 64, .protocol = IPPROTO_TCP, .tot_len = htons(sizeof(packet)) },
	};

	memcpy(&packet.ip.saddr, segment->flow.src, 4);
	memcpy(&packet.ip.daddr, segment->flow.dst, 4);
	memcpy(&to.sin_addr, segment->flow.dst, 4);
	tcp_segment_fill(segment, packet.tcp);
	if (sendto(fd, &packet, sizeof(packet), 0, (const struct sockaddr *)&to, sizeof(to)) != sizeof(packet))
		return fail_errno("cannot send a segment to ourselves");
	return 0;
}

static int send_v6(int fd, const struct tcp_segment *segment)
{
	struct sockaddr_in6 to = { .sin6_family = AF_INET6 };
	struct {
		struct ip6_hdr ip;
		uint8_t tcp[TCP_SEGMENT_BYTES];
	} packet = {
		.ip = {
			.ip6_flow = htonl(6 << 28),
			.ip6_plen = htons(TCP_SEGMENT_BYTES),
			.ip6_nxt = IPPROTO_TCP,
			.ip6_hlim = 64,
		},
	};

	memcpy(&packet.ip.ip6_src, segment->flow.src, 16);
	memcpy(&packet.ip.ip6_dst, segment->flow.dst, 16);
	memcpy(&to.sin6_addr, segment->flow.dst, 16);
	tcp_segment_fill(segment, packet.tcp);
	if (sendto(fd, &packet, sizeof(packet), 0, (const struct sockaddr *)&to, sizeof(to)) != sizeof(packet))
		return fail_errno("cannot send a segment to ourselves");
	return 0;
}

int tcp_segment_send(const struct tcp_segment *segment)
{
	const int mark = NFT_PASS_MARK;
	auto_fd int fd = socket(segment->flow.v6 ? AF_INET6 : AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof(mark)))
		return fail_errno("a raw socket for segments to ourselves");
	return segment->flow.v6 ? send_v6(fd, segment) : send_v4(fd, segment);
}
