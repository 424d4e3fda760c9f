#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "files/tcp.h"
#include "util/test.h"

/* RFC 1071: the sum of everything, checksum included, is all ones. */
static uint16_t sum_of(const struct nft_flow *flow, const uint8_t *segment)
{
	uint8_t all[16 + 16 + 4 + TCP_SEGMENT_BYTES];
	const size_t addr_bytes = flow->v6 ? 16 : 4;
	uint32_t sum = 0;
	size_t n = 0;

	memcpy(all, flow->src, addr_bytes);
	memcpy(all + addr_bytes, flow->dst, addr_bytes);
	n = 2 * addr_bytes;
	memcpy(all + n, (const uint8_t[]){ 0, IPPROTO_TCP, 0, TCP_SEGMENT_BYTES }, 4);
	memcpy(all + n + 4, segment, TCP_SEGMENT_BYTES);
	n += 4 + TCP_SEGMENT_BYTES;
	for (size_t i = 0; i < n; i += 2)
		sum += all[i] << 8 | all[i + 1];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static void test_segment(bool v6)
{
	struct tcp_segment segment = { .seq = 0x01020304, .ack = 0xfffefdfc, .window = 0x1234, .fin = true };
	uint8_t bytes[TCP_SEGMENT_BYTES];

	segment.flow.v6 = v6;
	segment.flow.src_port = htons(80);
	segment.flow.dst_port = htons(40000);
	for (size_t i = 0; i < 16; i++) {
		segment.flow.src[i] = 200 + i;
		segment.flow.dst[i] = 17 * i;
	}
	tcp_segment_fill(&segment, bytes);
	CHECK(!memcmp(bytes, "\0\x50\x9c\x40\x01\x02\x03\x04\xff\xfe\xfd\xfc\x50\x11\x12\x34", 16));
	CHECK_EQ(sum_of(&segment.flow, bytes), 0xffff);
	segment.fin = false;
	tcp_segment_fill(&segment, bytes);
	CHECK_EQ(bytes[13], 0x10);
	CHECK_EQ(sum_of(&segment.flow, bytes), 0xffff);
}

static void test_flow(void)
{
	uint32_t mapped_src[4] = { 0, 0, htonl(0xffff), htonl(0x0a000001) },
		 mapped_dst[4] = { 0, 0, htonl(0xffff), htonl(0x0a000002) };
	uint32_t src = htonl(0x0a000002), dst = htonl(0x0a000001);
	InetSkEntry v6 = INET_SK_ENTRY__INIT, v4 = INET_SK_ENTRY__INIT;
	struct nft_flow flow_v6, flow_v4, back;
	struct tcp_flows flows = { 0 };

	v6.family = AF_INET6;
	v6.src_addr = mapped_src;
	v6.dst_addr = mapped_dst;
	v6.src_port = 1;
	v6.dst_port = 2;
	v4.family = AF_INET;
	v4.src_addr = &src;
	v4.dst_addr = &dst;
	v4.src_port = 2;
	v4.dst_port = 1;
	tcp_flow(&v6, &flow_v6);
	tcp_flow(&v4, &flow_v4);
	tcp_flow_back(&flow_v4, &back);
	CHECK(!memcmp(&flow_v6, &back, sizeof(back)));
	CHECK(!flow_v6.v6);

	tcp_flows_add(&flows, &flow_v6, &v6);
	CHECK(tcp_flows_get(&flows, &back) == &v6);
	CHECK(!tcp_flows_get(&flows, &flow_v4));
	tcp_flows_free(&flows);
}

static void test_validate(void)
{
	struct options options = { .tcp_established = true };
	InventoryEntry inventory = INVENTORY_ENTRY__INIT;
	TcpStreamEntry stream = TCP_STREAM_ENTRY__INIT;
	InetSkEntry entry = INET_SK_ENTRY__INIT;
	struct model model;

	model_init(&model);
	model.inventory = &inventory;
	entry.ino = 5;
	entry.state = INET_ESTABLISHED;
	CHECK_EQ(tcp_validate(&model, &entry, &options), -EINVAL);
	VEC_PUSH(&model.tcp_streams, ((struct tcp_stream_image){ .ino = 5, .entry = &stream }));
	stream.has_unsq_len = true;
	stream.mss_clamp = 1460;
	CHECK_EQ(tcp_validate(&model, &entry, &options), 0);
	stream.unsq_len = 1;
	CHECK_EQ(tcp_validate(&model, &entry, &options), -EINVAL);
	stream.outq_len = 1;
	CHECK_EQ(tcp_validate(&model, &entry, &options), 0);
	stream.snd_wscale = 15;
	CHECK_EQ(tcp_validate(&model, &entry, &options), -EINVAL);
	stream.snd_wscale = 14;
	stream.mss_clamp = 0;
	CHECK_EQ(tcp_validate(&model, &entry, &options), -EINVAL);
	stream.mss_clamp = 536;
	entry.state = INET_SYN_SENT;
	CHECK_EQ(tcp_validate(&model, &entry, &options), -EINVAL);
	entry.state = INET_CLOSE_WAIT;
	options.tcp_established = false;
	CHECK_EQ(tcp_validate(&model, &entry, &options), -EINVAL);
	options.tcp_close = true;
	CHECK_EQ(tcp_validate(&model, &entry, &options), 0);
	options.tcp_close = false;
	inventory.has_tcp_close = inventory.tcp_close = true;
	CHECK_EQ(tcp_validate(&model, &entry, &options), -EINVAL);
	model.inventory = NULL;
	model_free(&model);
}

int main(void)
{
	char name[NFT_TABLE_BYTES];

	test_segment(false);
	test_segment(true);
	test_flow();
	test_validate();
	net_lock_name("01234567-89ab-cdef-0123-456789abcdef", name);
	CHECK(!strcmp(name, "CRIU-01234567-89ab-cdef-01"));
	return test_end();
}
