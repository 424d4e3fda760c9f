#include "util/hash.h"
#include "util/test.h"

#define N_KEYS 20000

static char values[N_KEYS];

static void test_empty(void)
{
	struct hash hash = { 0 };

	CHECK(!hash_get(&hash, 0, 0));
	hash_free(&hash);
}

static void test_replace(void)
{
	struct hash hash = { 0 };

	CHECK(!hash_put(&hash, 1, 2, &values[0]));
	CHECK(hash_get(&hash, 1, 2) == &values[0]);
	CHECK(!hash_get(&hash, 2, 1));
	CHECK(hash_put(&hash, 1, 2, &values[1]) == &values[0]);
	CHECK(hash_get(&hash, 1, 2) == &values[1]);
	CHECK_EQ(hash.n_used, 1);
	hash_free(&hash);
	CHECK_EQ(hash.n_slots, 0);
}

/* Keys as they come: page addresses and device numbers, alike in most bits. */
static void test_many(void)
{
	struct hash hash = { 0 };
	int wrong = 0;

	for (uint64_t i = 0; i < N_KEYS; i++)
		wrong += hash_put(&hash, i << 12, i % 3, &values[i]) != NULL;
	for (uint64_t i = 0; i < N_KEYS; i++) {
		wrong += hash_get(&hash, i << 12, i % 3) != &values[i];
		wrong += hash_get(&hash, i << 12, i % 3 + 1) != NULL;
	}
	CHECK_EQ(wrong, 0);
	CHECK_EQ(hash.n_used, N_KEYS);
	CHECK(hash.n_slots > N_KEYS);
	hash_free(&hash);
}

int main(void)
{
	test_empty();
	test_replace();
	test_many();
	return test_end();
}
