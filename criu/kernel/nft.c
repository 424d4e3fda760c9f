#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

/* The C library's addresses come first: the kernel's headers then leave theirs out. */
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>

#include "kernel/nft.h"
#include "util/log.h"
#include "util/mem.h"

/* So many elements fit into one attribute, whose length has 16 bits. */
#define FLOWS_PER_MESSAGE 512
#define FLOW_BYTES	  64
#define FRAME_BYTES	  8192 /* all but the elements */
#define DELETE_BYTES	  256

/* How nft(8) numbers the types of which a key is made. */
#define TYPE_BITS	  6
#define TYPE_IPADDR	  7
#define TYPE_IP6ADDR	  8
#define TYPE_INET_SERVICE 13

/* --- putting messages together ------------------------------------------------ */

struct batch_buf {
	char *bytes;
	size_t n, room;
	uint32_t seq; /* of the last message */
};

static void *put(struct batch_buf *buf, size_t bytes)
{
	void *at = buf->bytes + buf->n;

	/* The callers have made room for all there can be. */
	if (NLMSG_ALIGN(bytes) > buf->room - buf->n)
		__builtin_trap();
	memset(at, 0, NLMSG_ALIGN(bytes));
	buf->n += NLMSG_ALIGN(bytes);
	return at;
}

static size_t message_begin(struct batch_buf *buf, uint16_t type, uint16_t flags, uint16_t res_id)
{
	const size_t start = buf->n;
	struct nlmsghdr *header = put(buf, sizeof(*header));
	struct nfgenmsg *msg = put(buf, sizeof(*msg));

	header->nlmsg_type = type;
	header->nlmsg_flags = NLM_F_REQUEST | flags;
	header->nlmsg_seq = ++buf->seq;
	msg->nfgen_family = res_id ? AF_UNSPEC : NFPROTO_INET;
	msg->version = NFNETLINK_V0;
	msg->res_id = htons(res_id);
	return start;
}

static void message_end(struct batch_buf *buf, size_t start)
{
	((struct nlmsghdr *)(buf->bytes + start))->nlmsg_len = buf->n - start;
}

static void put_attr(struct batch_buf *buf, uint16_t type, const void *data, size_t bytes)
{
	struct nlattr *attr = put(buf, sizeof(*attr) + bytes);

	attr->nla_type = type;
	attr->nla_len = sizeof(*attr) + bytes;
	memcpy(attr + 1, data, bytes);
}

static void put_text(struct batch_buf *buf, uint16_t type, const char *text)
{
	put_attr(buf, type, text, strlen(text) + 1);
}

static void put_u32(struct batch_buf *buf, uint16_t type, uint32_t value)
{
	value = htonl(value);
	put_attr(buf, type, &value, sizeof(value));
}

static size_t nest_begin(struct batch_buf *buf, uint16_t type)
{
	const size_t start = buf->n;
	struct nlattr *attr = put(buf, sizeof(*attr));

	attr->nla_type = type | NLA_F_NESTED;
	return start;
}

static void nest_end(struct batch_buf *buf, size_t start)
{
	((struct nlattr *)(buf->bytes + start))->nla_len = buf->n - start;
}

static size_t nft_begin(struct batch_buf *buf, uint16_t type, uint16_t flags)
{
	return message_begin(buf, NFNL_SUBSYS_NFTABLES << 8 | type, flags, 0);
}

static void batch_begin(struct batch_buf *buf)
{
	message_end(buf, message_begin(buf, NFNL_MSG_BATCH_BEGIN, 0, NFNL_SUBSYS_NFTABLES));
}

static void batch_end(struct batch_buf *buf)
{
	message_end(buf, message_begin(buf, NFNL_MSG_BATCH_END, 0, NFNL_SUBSYS_NFTABLES));
}

/* --- talking -------------------------------------------------------------------- */

/* Answers come in the order of the messages; that to number @last ends them. */
static int read_answers(int fd, uint32_t last)
{
	char block[8192] __attribute__((aligned(NLMSG_ALIGNTO)));

	for (;;) {
		ssize_t n = recv(fd, block, sizeof(block), 0);
		const struct nlmsghdr *header = (const void *)block;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		for (size_t left = n; NLMSG_OK(header, left); header = NLMSG_NEXT(header, left)) {
			const struct nlmsgerr *answer = NLMSG_DATA(header);

			if (header->nlmsg_type != NLMSG_ERROR && header->nlmsg_seq == last)
				return 0;
			if (header->nlmsg_type != NLMSG_ERROR || header->nlmsg_len < NLMSG_LENGTH(sizeof(*answer)))
				continue;
			if (answer->error || header->nlmsg_seq == last)
				return answer->error;
		}
	}
}

static int talk(const struct batch_buf *buf, uint32_t last)
{
	const struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	const int room = buf->n * 2;
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
	int err = 0;

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room));
	if (sendto(fd, buf->bytes, buf->n, 0, (const struct sockaddr *)&kernel, sizeof(kernel)) < 0)
		err = -errno;
	err = err ?: read_answers(fd, last);
	close(fd);
	return err;
}

int nft_usable(void)
{
	char bytes[DELETE_BYTES];
	struct batch_buf buf = { .bytes = bytes, .room = sizeof(bytes) };

	message_end(&buf, nft_begin(&buf, NFT_MSG_GETGEN, NLM_F_ACK));
	return talk(&buf, buf.seq);
}

int nft_unlock(const char *name)
{
	char bytes[DELETE_BYTES];
	struct batch_buf buf = { .bytes = bytes, .room = sizeof(bytes) };
	uint32_t last;
	size_t start;

	if (strlen(name) >= NFT_TABLE_BYTES)
		return -ENAMETOOLONG;
	batch_begin(&buf);
	start = nft_begin(&buf, NFT_MSG_DELTABLE, NLM_F_ACK);
	put_text(&buf, NFTA_TABLE_NAME, name);
	message_end(&buf, start);
	last = buf.seq;
	batch_end(&buf);
	return talk(&buf, last);
}

int nft_find(const char *name)
{
	char bytes[DELETE_BYTES];
	struct batch_buf buf = { .bytes = bytes, .room = sizeof(bytes) };
	size_t start;

	if (strlen(name) >= NFT_TABLE_BYTES)
		return -ENAMETOOLONG;
	start = nft_begin(&buf, NFT_MSG_GETTABLE, 0);
	put_text(&buf, NFTA_TABLE_NAME, name);
	message_end(&buf, start);
	return talk(&buf, buf.seq);
}

/* --- the table -------------------------------------------------------------------- */

static const char *set_name(bool v6)
{
	return v6 ? "conns6" : "conns4";
}

static void add_table(struct batch_buf *buf, const char *name)
{
	const size_t start = nft_begin(buf, NFT_MSG_NEWTABLE, NLM_F_CREATE | NLM_F_EXCL);

	put_text(buf, NFTA_TABLE_NAME, name);
	message_end(buf, start);
}

/* Every part of a key is padded to four bytes. */
static size_t key_bytes(bool v6)
{
	return v6 ? 40 : 16;
}

static void add_set(struct batch_buf *buf, const char *table, bool v6)
{
	const size_t start = nft_begin(buf, NFT_MSG_NEWSET, NLM_F_CREATE);
	const uint32_t addr = v6 ? TYPE_IP6ADDR : TYPE_IPADDR;

	put_text(buf, NFTA_SET_TABLE, table);
	put_text(buf, NFTA_SET_NAME, set_name(v6));
	put_u32(buf, NFTA_SET_FLAGS, 0);
	put_u32(buf, NFTA_SET_KEY_TYPE,
		((addr << TYPE_BITS | TYPE_INET_SERVICE) << TYPE_BITS | addr) << TYPE_BITS | TYPE_INET_SERVICE);
	put_u32(buf, NFTA_SET_KEY_LEN, key_bytes(v6));
	put_u32(buf, NFTA_SET_ID, 1 + v6);
	message_end(buf, start);
}

static void add_element(struct batch_buf *buf, const struct nft_flow *flow)
{
	const size_t addr_bytes = flow->v6 ? 16 : 4;
	const size_t element = nest_begin(buf, NFTA_LIST_ELEM), nested_key = nest_begin(buf, NFTA_SET_ELEM_KEY);
	uint8_t key[40] = { 0 };

	memcpy(key, flow->src, addr_bytes);
	memcpy(key + addr_bytes, &flow->src_port, sizeof(flow->src_port));
	memcpy(key + addr_bytes + 4, flow->dst, addr_bytes);
	memcpy(key + 2 * addr_bytes + 4, &flow->dst_port, sizeof(flow->dst_port));
	put_attr(buf, NFTA_DATA_VALUE, key, key_bytes(flow->v6));
	nest_end(buf, nested_key);
	nest_end(buf, element);
}

/* Returns how many of @flows, of whatever family, are dealt with. */
static size_t add_elements(struct batch_buf *buf, const char *table, bool v6, const struct nft_flow *flows, size_t n)
{
	const size_t start = nft_begin(buf, NFT_MSG_NEWSETELEM, NLM_F_CREATE);
	size_t list, i, done = 0;

	put_text(buf, NFTA_SET_ELEM_LIST_TABLE, table);
	put_text(buf, NFTA_SET_ELEM_LIST_SET, set_name(v6));
	put_u32(buf, NFTA_SET_ELEM_LIST_SET_ID, 1 + v6);
	list = nest_begin(buf, NFTA_SET_ELEM_LIST_ELEMENTS);
	for (i = 0; i < n && done < FLOWS_PER_MESSAGE; i++) {
		if (flows[i].v6 != v6)
			continue;
		add_element(buf, &flows[i]);
		done++;
	}
	nest_end(buf, list);
	message_end(buf, start);
	/* A list without elements is an error. */
	if (!done)
		buf->n = start;
	return i;
}

static void add_chain(struct batch_buf *buf, const char *table, const char *name, uint32_t hook)
{
	const size_t start = nft_begin(buf, NFT_MSG_NEWCHAIN, NLM_F_CREATE);
	size_t nested;

	put_text(buf, NFTA_CHAIN_TABLE, table);
	put_text(buf, NFTA_CHAIN_NAME, name);
	put_text(buf, NFTA_CHAIN_TYPE, "filter");
	put_u32(buf, NFTA_CHAIN_POLICY, NF_ACCEPT);
	nested = nest_begin(buf, NFTA_CHAIN_HOOK);
	put_u32(buf, NFTA_HOOK_HOOKNUM, hook);
	put_u32(buf, NFTA_HOOK_PRIORITY, 0);
	nest_end(buf, nested);
	message_end(buf, start);
}

/* --- rules ------------------------------------------------------------------------- */

struct nests {
	size_t element, data;
};

static struct nests expr_begin(struct batch_buf *buf, const char *name)
{
	struct nests nests = { .element = nest_begin(buf, NFTA_LIST_ELEM) };

	put_text(buf, NFTA_EXPR_NAME, name);
	nests.data = nest_begin(buf, NFTA_EXPR_DATA);
	return nests;
}

static void expr_end(struct batch_buf *buf, struct nests nests)
{
	nest_end(buf, nests.data);
	nest_end(buf, nests.element);
}

/* Go on only if what meta @key says is @value. */
static void meta_is(struct batch_buf *buf, uint32_t key, const void *value, size_t bytes)
{
	struct nests nests = expr_begin(buf, "meta");
	size_t data;

	put_u32(buf, NFTA_META_KEY, key);
	put_u32(buf, NFTA_META_DREG, NFT_REG_1);
	expr_end(buf, nests);

	nests = expr_begin(buf, "cmp");
	put_u32(buf, NFTA_CMP_SREG, NFT_REG_1);
	put_u32(buf, NFTA_CMP_OP, NFT_CMP_EQ);
	data = nest_begin(buf, NFTA_CMP_DATA);
	put_attr(buf, NFTA_DATA_VALUE, value, bytes);
	nest_end(buf, data);
	expr_end(buf, nests);
}

static void load(struct batch_buf *buf, uint32_t base, uint32_t offset, uint32_t bytes, uint32_t reg)
{
	const struct nests nests = expr_begin(buf, "payload");

	put_u32(buf, NFTA_PAYLOAD_DREG, reg);
	put_u32(buf, NFTA_PAYLOAD_BASE, base);
	put_u32(buf, NFTA_PAYLOAD_OFFSET, offset);
	put_u32(buf, NFTA_PAYLOAD_LEN, bytes);
	expr_end(buf, nests);
}

static void verdict(struct batch_buf *buf, uint32_t code)
{
	const struct nests nests = expr_begin(buf, "immediate");
	size_t data, nested;

	put_u32(buf, NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
	data = nest_begin(buf, NFTA_IMMEDIATE_DATA);
	nested = nest_begin(buf, NFTA_DATA_VERDICT);
	put_u32(buf, NFTA_VERDICT_CODE, code);
	nest_end(buf, nested);
	nest_end(buf, data);
	expr_end(buf, nests);
}

struct rule {
	size_t message, list;
};

static struct rule rule_begin(struct batch_buf *buf, const char *table, const char *chain, uint16_t flags)
{
	struct rule rule = { .message = nft_begin(buf, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND | flags) };

	put_text(buf, NFTA_RULE_TABLE, table);
	put_text(buf, NFTA_RULE_CHAIN, chain);
	rule.list = nest_begin(buf, NFTA_RULE_EXPRESSIONS);
	return rule;
}

static void rule_end(struct batch_buf *buf, struct rule rule)
{
	nest_end(buf, rule.list);
	message_end(buf, rule.message);
}

static void add_pass_rule(struct batch_buf *buf, const char *table, const char *chain)
{
	const struct rule rule = rule_begin(buf, table, chain, 0);
	const uint32_t mark = NFT_PASS_MARK;

	meta_is(buf, NFT_META_MARK, &mark, sizeof(mark));
	verdict(buf, NF_ACCEPT);
	rule_end(buf, rule);
}

/* The key as add_element() has it: address, port, address, port, in registers of four bytes. */
static void add_drop_rule(struct batch_buf *buf, const char *table, const char *chain, bool v6, uint16_t flags)
{
	const struct rule rule = rule_begin(buf, table, chain, flags);
	const uint8_t family = v6 ? NFPROTO_IPV6 : NFPROTO_IPV4, tcp = IPPROTO_TCP;
	const uint32_t addr_offset = v6 ? 8 : 12, addr_bytes = v6 ? 16 : 4, addr_regs = addr_bytes / 4;
	struct nests nests;

	meta_is(buf, NFT_META_NFPROTO, &family, sizeof(family));
	meta_is(buf, NFT_META_L4PROTO, &tcp, sizeof(tcp));
	load(buf, NFT_PAYLOAD_NETWORK_HEADER, addr_offset, addr_bytes, NFT_REG32_00);
	load(buf, NFT_PAYLOAD_TRANSPORT_HEADER, 0, 2, NFT_REG32_00 + addr_regs);
	load(buf, NFT_PAYLOAD_NETWORK_HEADER, addr_offset + addr_bytes, addr_bytes, NFT_REG32_00 + addr_regs + 1);
	load(buf, NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2, NFT_REG32_00 + 2 * addr_regs + 1);
	nests = expr_begin(buf, "lookup");
	put_text(buf, NFTA_LOOKUP_SET, set_name(v6));
	put_u32(buf, NFTA_LOOKUP_SET_ID, 1 + v6);
	put_u32(buf, NFTA_LOOKUP_SREG, NFT_REG32_00);
	expr_end(buf, nests);
	verdict(buf, NF_DROP);
	rule_end(buf, rule);
}

int nft_lock(const char *name, const struct nft_flow *flows, size_t n)
{
	const size_t room = FRAME_BYTES + n * FLOW_BYTES + (2 * n / FLOWS_PER_MESSAGE) * DELETE_BYTES;
	auto_free char *bytes = xalloc(room);
	struct batch_buf buf = { .bytes = bytes, .room = room };
	uint32_t last;
	int err;

	batch_begin(&buf);
	add_table(&buf, name);
	for (int v6 = 0; v6 < 2; v6++) {
		add_set(&buf, name, v6);
		for (size_t done = 0; done < n;)
			done += add_elements(&buf, name, v6, flows + done, n - done);
	}
	add_chain(&buf, name, "input", NF_INET_LOCAL_IN);
	add_chain(&buf, name, "output", NF_INET_LOCAL_OUT);
	for (int out = 0; out < 2; out++) {
		const char *chain = out ? "output" : "input";

		add_pass_rule(&buf, name, chain);
		add_drop_rule(&buf, name, chain, false, 0);
		add_drop_rule(&buf, name, chain, true, out ? NLM_F_ACK : 0);
	}
	last = buf.seq;
	batch_end(&buf);
	err = talk(&buf, last);
	if (err && err != -EEXIST)
		return fail(-err, "cannot lock %zu TCP connections with nf_tables, table %s", n / 2, name);
	return err;
}
