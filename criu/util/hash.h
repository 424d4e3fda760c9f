/* Hash map from two 64-bit words to a pointer; the map owns neither. */
#ifndef CRIU_UTIL_HASH_H
#define CRIU_UTIL_HASH_H

#include "util/macros.h"

struct hash_slot {
	uint64_t key[2];
	void *value; /* NULL: free slot */
};

struct hash {
	struct hash_slot *slots;
	size_t n_slots; /* power of two */
	size_t n_used;
};

/** hash_get - value stored under (@k0, @k1), or NULL. */
void *hash_get(const struct hash *hash, uint64_t k0, uint64_t k1);

/** hash_put - store @value (not NULL); replaces and returns an old value. */
void *hash_put(struct hash *hash, uint64_t k0, uint64_t k1, void *value);

/** hash_free - release the table, not the values. */
void hash_free(struct hash *hash);

#endif
