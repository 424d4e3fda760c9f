/*
 * Membership in multicast groups.
 *
 * Nothing lists the groups of a socket, but it answers whether it is in one, and which
 * sources it lets through there. Those to ask for are the groups that anybody in the network
 * namespace is in. They are kept as the calls that join them: an entry for MCAST_JOIN_GROUP, and one for
 * MCAST_MSFILTER if there is a filter. The network device stands there by its number.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "files/inet-sk.h"

#define SOURCES_MAX 1024

static void add_option(struct files_dump *ctx, const struct file_desc *desc, int level, int name, const void *value,
		       size_t bytes)
{
	InetSkEntry *entry = desc->entry->isk;
	InetOptionEntry **all = arena_array(ctx->model->arena, InetOptionEntry *, entry->n_options + 1);
	InetOptionEntry *option = model_new(ctx->model, InetOptionEntry, inet_option_entry__init);

	for (size_t i = 0; i < entry->n_options; i++)
		all[i] = entry->options[i];
	option->level = level;
	option->name = name;
	option->value.data = arena_memdup(ctx->model->arena, value, bytes);
	option->value.len = bytes;
	all[entry->n_options++] = option;
	entry->options = all;
}

/* Not a member: nothing. */
static int dump_group(struct files_dump *ctx, const struct file_desc *desc, const struct inet_group *group)
{
	socklen_t bytes = GROUP_FILTER_SIZE(SOURCES_MAX);
	auto_free struct group_filter *filter = xalloc(bytes);
	struct group_req request = { .gr_interface = group->interface };

	memcpy(&request.gr_group, &group->addr, sizeof(group->addr));
	filter->gf_interface = group->interface;
	filter->gf_group = request.gr_group;
	filter->gf_numsrc = SOURCES_MAX;
	if (getsockopt(desc->fd, group->level, MCAST_MSFILTER, filter, &bytes))
		return 0;
	if (filter->gf_numsrc > SOURCES_MAX) {
		refuse(ctx->refusals,
		       "%s: it receives a multicast group from %u sources, at most %d can be kept: drop some of them "
		       "(IP_DROP_SOURCE_MEMBERSHIP, MCAST_LEAVE_SOURCE_GROUP), or leave the group, before the dump",
		       desc->link, filter->gf_numsrc, SOURCES_MAX);
		return 0;
	}
	add_option(ctx, desc, group->level, MCAST_JOIN_GROUP, &request, sizeof(request));
	if (filter->gf_numsrc || filter->gf_fmode != MCAST_EXCLUDE)
		add_option(ctx, desc, group->level, MCAST_MSFILTER, filter, GROUP_FILTER_SIZE(filter->gf_numsrc));
	return 0;
}

/* --- the groups of the network namespace --------------------------------------- */

bool inet_parse_igmp(const char *line, uint32_t *interface, struct inet_group *ret)
{
	struct in_addr addr;
	uint32_t index;

	/* The number of a device, not indented; the groups of it follow, in the byte order of the network. */
	if (*line != '\t') {
		if (sscanf(line, "%" SCNu32, &index) == 1)
			*interface = index;
		return false;
	}
	if (sscanf(line, " %8" SCNx32, &addr.s_addr) != 1)
		return false;
	*ret = (struct inet_group){ .interface = *interface, .level = SOL_IP };
	ret->addr.v4.sin_family = AF_INET;
	ret->addr.v4.sin_addr = addr;
	return true;
}

bool inet_parse_igmp6(const char *line, struct inet_group *ret)
{
	char hex[33] = "";
	uint32_t index;

	if (sscanf(line, "%" SCNu32 " %*s %32[0-9a-f]", &index, hex) != 2 || strlen(hex) != 32)
		return false;
	*ret = (struct inet_group){ .interface = index, .level = SOL_IPV6 };
	ret->addr.v6.sin6_family = AF_INET6;
	for (size_t i = 0; i < 16; i++)
		if (sscanf(hex + 2 * i, "%2hhx", &ret->addr.v6.sin6_addr.s6_addr[i]) != 1)
			return false;
	return true;
}

/* A kernel without the protocol has no such file. */
static void read_groups(const char *path, bool v6, inet_group_list *list)
{
	FILE *file = fopen(path, "re");
	uint32_t interface = 0;
	char line[256];

	while (file && fgets(line, sizeof(line), file)) {
		struct inet_group group;

		if (v6 ? inet_parse_igmp6(line, &group) : inet_parse_igmp(line, &interface, &group))
			VEC_PUSH(list, group);
	}
	if (file)
		fclose(file);
}

int inet_mcast_dump(struct files_dump *ctx, const struct file_desc *desc, inet_group_list *groups, bool *known)
{
	const bool v6 = desc->entry->isk->family == AF_INET6;
	int err = 0;

	if (!*known) {
		read_groups("/proc/thread-self/net/igmp", false, groups);
		read_groups("/proc/thread-self/net/igmp6", true, groups);
		*known = true;
	}
	for (size_t i = 0; i < groups->n && !err; i++)
		if (v6 || groups->data[i].level == SOL_IP)
			err = dump_group(ctx, desc, &groups->data[i]);
	return err;
}
