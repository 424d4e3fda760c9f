/*
 * The lock that keeps packets of connections with the outside away (Documentation/internet-sockets.md), at restore: the
 * one the dump has made is found, or made again. Connections whose both ends are made here need none.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "files/tcp.h"
#include "mem/guard-net.h"

static bool inside(const struct tcp_flows *flows, const struct inet_node *node)
{
	struct nft_flow flow, back;

	if (node->entry->state == INET_SYN_SENT)
		return false;
	tcp_flow(node->entry, &flow);
	tcp_flow_back(&flow, &back);
	return tcp_flows_get(flows, &back) != NULL;
}

static void find_outside(struct inet_restore *state, nft_flow_list *ret)
{
	struct tcp_flows flows = { 0 };
	struct nft_flow flow;

	for (size_t i = 0; i < state->nodes.n; i++) {
		if (!state->nodes.data[i].stream)
			continue;
		tcp_flow(state->nodes.data[i].entry, &flow);
		tcp_flows_add(&flows, &flow, &state->nodes.data[i]);
	}
	for (size_t i = 0; i < state->nodes.n; i++) {
		if (!state->nodes.data[i].stream || inside(&flows, &state->nodes.data[i]))
			continue;
		tcp_flow(state->nodes.data[i].entry, &flow);
		VEC_PUSH(ret, flow);
		tcp_flow_back(&flow, VEC_ADD(ret));
	}
	tcp_flows_free(&flows);
}

/* -ENOENT: there is none, and nothing to lock. Only a lock of our own is entered as one to be removed, even for the moment of making it. */
static int find_or_lock(struct guard *guard, const char *name, const nft_flow_list *flows)
{
	int slot, err = nft_find(name);

	if (err == -ENOENT && !flows->n)
		return err;
	if (err && err != -ENOENT)
		return fail(-err, "cannot look for the lock of the dump, nf_tables table %s", name);
	slot = guard_table_add(guard, name, err ? 0 : GUARD_FROM_CANCEL);
	if (!err || slot < 0)
		return slot < 0 ? slot : 0;
	err = nft_lock(name, flows->data, flows->n);
	if (err == -EEXIST) {
		guard_name_drop(guard, slot);
		return fail(EEXIST, "another restore makes the same lock now, nf_tables table %s", name);
	}
	return err;
}

/* Before 4.2 mainline called it by the root's process number. */
static void name_lock(const struct model *model, char ret[NFT_TABLE_BYTES])
{
	const InventoryEntry *inventory = model->inventory;

	if (inventory->dump_criu_run_id)
		net_lock_name(inventory->dump_criu_run_id, ret);
	else if (inventory->has_network_lock_method && inventory->network_lock_method == NETWORK_LOCK_NFTABLES)
		snprintf(ret, NFT_TABLE_BYTES, "CRIU-%" PRIu32, model->tasks.data[0].pstree->pid);
	else
		net_lock_name("restore", ret);
}

static bool has_connections(const struct inet_restore *state)
{
	for (size_t i = 0; i < state->nodes.n; i++)
		if (state->nodes.data[i].stream)
			return true;
	return false;
}

/*
 * The lock of the dump is there unless it was taken away, by a reboot for instance. Whatever made it, it is gone when
 * the tasks run; if the restore fails, the one of the dump stays. Mainline locks connections within the tree, too.
 */
int tcp_lock_all(struct files_restore *ctx)
{
	struct inet_restore *state = ctx->state->inets;
	const InventoryEntry *inventory = ctx->model->inventory;
	nft_flow_list flows = { 0 };
	int err;

	if (!has_connections(state) || inventory->network_lock_method == NETWORK_LOCK_SKIP)
		return 0;
	if (inventory->has_network_lock_method && inventory->network_lock_method == NETWORK_LOCK_IPTABLES)
		pr_warn("the dump locked TCP connections with iptables: remove its rules, or no packet gets through");
	find_outside(state, &flows);
	name_lock(ctx->model, state->lock);
	err = find_or_lock(ctx->guard, state->lock, &flows);
	VEC_FREE(&flows);
	if (err == -ENOENT) {
		state->lock[0] = '\0';
		return 0;
	}
	return err;
}

void tcp_release_all(struct files_restore *ctx)
{
	struct inet_restore *state = ctx->state->inets;
	int err = state->lock[0] ? nft_unlock(state->lock) : 0;

	if (err)
		pr_err("the lock of TCP connections, nf_tables table %s, can't be removed: %s", state->lock,
		       strerror(-err));
	for (size_t i = 0; i < state->nodes.n; i++) {
		const struct inet_node *node = &state->nodes.data[i];

		if (!node->stream)
			continue;
		err = tcp_repair_off(node->fd, node->entry->opts->reuseaddr, true);
		if (err)
			pr_err("file %" PRIu32 ": TCP_REPAIR: %s", node->entry->id, strerror(-err));
	}
}
