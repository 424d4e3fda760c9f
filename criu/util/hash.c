#include <stdlib.h>

#include "util/hash.h"
#include "util/mem.h"

#define FIRST_SLOTS 64

/* Finalizer of splitmix64: neighbouring keys (addresses, inodes) spread well. */
static uint64_t mix(uint64_t x)
{
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
	return x ^ (x >> 31);
}

/* The slot that holds the key, or the free one where it belongs. */
static struct hash_slot *find_slot(const struct hash *hash, uint64_t k0, uint64_t k1)
{
	size_t mask = hash->n_slots - 1;
	size_t i = mix(k0 + mix(k1 + 0x9e3779b97f4a7c15ULL)) & mask;

	while (hash->slots[i].value && (hash->slots[i].key[0] != k0 || hash->slots[i].key[1] != k1))
		i = (i + 1) & mask;
	return &hash->slots[i];
}

static void grow(struct hash *hash)
{
	struct hash bigger = {
		.n_slots = hash->n_slots ? hash->n_slots * 2 : FIRST_SLOTS,
		.n_used = hash->n_used,
	};

	bigger.slots = xalloc(bigger.n_slots * sizeof(*bigger.slots));
	for (size_t i = 0; i < hash->n_slots; i++) {
		const struct hash_slot *slot = &hash->slots[i];

		if (slot->value)
			*find_slot(&bigger, slot->key[0], slot->key[1]) = *slot;
	}
	free(hash->slots);
	*hash = bigger;
}

void *hash_get(const struct hash *hash, uint64_t k0, uint64_t k1)
{
	return hash->n_slots ? find_slot(hash, k0, k1)->value : NULL;
}

void *hash_put(struct hash *hash, uint64_t k0, uint64_t k1, void *value)
{
	struct hash_slot *slot;
	void *old;

	if (hash->n_used >= hash->n_slots / 4 * 3)
		grow(hash);
	slot = find_slot(hash, k0, k1);
	old = slot->value;
	if (!old)
		hash->n_used++;
	*slot = (struct hash_slot){ .key = { k0, k1 }, .value = value };
	return old;
}

void hash_free(struct hash *hash)
{
	free(hash->slots);
	*hash = (struct hash){ 0 };
}
