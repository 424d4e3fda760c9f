#include <arpa/inet.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "files/inet-sk.h"

const char *inet_addr_text(const union inet_addr *addr, char ret[INET_ADDR_TEXT])
{
	char text[INET6_ADDRSTRLEN] = "?";

	if (addr->sa.sa_family == AF_INET) {
		inet_ntop(AF_INET, &addr->v4.sin_addr, text, sizeof(text));
		snprintf(ret, INET_ADDR_TEXT, "%s:%u", text, ntohs(addr->v4.sin_port));
	} else {
		inet_ntop(AF_INET6, &addr->v6.sin6_addr, text, sizeof(text));
		snprintf(ret, INET_ADDR_TEXT, "[%s]:%u", text, ntohs(addr->v6.sin6_port));
	}
	return ret;
}

size_t inet_addr_words(struct arena *arena, const union inet_addr *addr, uint32_t **ret)
{
	if (addr->sa.sa_family == AF_INET) {
		*ret = arena_memdup(arena, &addr->v4.sin_addr, sizeof(addr->v4.sin_addr));
		return 1;
	}
	*ret = arena_memdup(arena, &addr->v6.sin6_addr, sizeof(addr->v6.sin6_addr));
	return 4;
}

uint16_t inet_addr_port(const union inet_addr *addr)
{
	return ntohs(addr->sa.sa_family == AF_INET ? addr->v4.sin_port : addr->v6.sin6_port);
}

/* Link-local addresses say where they belong. */
static int fill_scope(const InetSkEntry *entry, struct sockaddr_in6 *addr)
{
	if (!entry->ifname || !IN6_IS_ADDR_LINKLOCAL(&addr->sin6_addr))
		return 0;
	addr->sin6_scope_id = if_nametoindex(entry->ifname);
	return addr->sin6_scope_id ? 0 : fail_errno("network device %s of a link-local address", entry->ifname);
}

static int fill(const InetSkEntry *entry, const uint32_t *words, uint32_t port, union inet_addr *ret)
{
	int err;

	memset(ret, 0, sizeof(*ret));
	ret->sa.sa_family = entry->family;
	if (entry->family == AF_INET) {
		ret->v4.sin_port = htons(port);
		memcpy(&ret->v4.sin_addr, words, sizeof(ret->v4.sin_addr));
		return sizeof(ret->v4);
	}
	ret->v6.sin6_port = htons(port);
	memcpy(&ret->v6.sin6_addr, words, sizeof(ret->v6.sin6_addr));
	err = fill_scope(entry, &ret->v6);
	return err ? err : (int)sizeof(ret->v6);
}

int inet_addr_src(const InetSkEntry *entry, union inet_addr *ret)
{
	return fill(entry, entry->src_addr, entry->src_port, ret);
}

int inet_addr_dst(const InetSkEntry *entry, union inet_addr *ret)
{
	return fill(entry, entry->dst_addr, entry->dst_port, ret);
}

bool inet_is_bound(const InetSkEntry *entry)
{
	for (size_t i = 0; i < entry->n_src_addr; i++)
		if (entry->src_addr[i])
			return true;
	return entry->src_port != 0;
}
