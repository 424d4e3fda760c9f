/*
 * NUMA memory policies: wrappers of get_mempolicy(2), set_mempolicy(2), mbind(2) for ourselves, and the
 * numbers needed to have others call them.
 */
#ifndef CRIU_KERNEL_NUMA_H
#define CRIU_KERNEL_NUMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* More nodes than any kernel can be built for (NODES_SHIFT is at most 10). */
#define NUMA_NODE_WORDS 16
#define NUMA_TEXT_BYTES 128

/* As the kernel gives and takes it. */
struct numa_policy {
	int mode; /* MPOL_..., with its flags */
	uint64_t nodes[NUMA_NODE_WORDS];
};

/**
 * numa_mask_words - words of a node mask that this kernel is content with
 * Return: 0 if it has no policies, or does not let us ask.
 */
size_t numa_mask_words(void);

/** numa_max_node - the argument that says so: the kernel reads one bit less. */
static inline uint64_t numa_max_node(size_t words)
{
	return words * 64 + 1;
}

/** numa_get - the policy at @addr of our own memory; MPOL_DEFAULT if there is none, or it can't be had. */
void numa_get(const void *addr, struct numa_policy *ret);

/** numa_set_range - mbind() our own memory, which is that of a shared object; 0 or -errno, not logged. */
int numa_set_range(void *addr, size_t bytes, const struct numa_policy *policy);

/**
 * numa_obstacle - why this policy can't be set here: nodes that are not there, or not for us
 * Tries it on memory of our own.
 * Return: part of a sentence, or NULL.
 */
const char *numa_obstacle(const struct numa_policy *policy);

bool numa_same(const struct numa_policy *a, const struct numa_policy *b);

/** numa_text - "bind:0-3", "interleave=static:0,2", as in /proc/PID/numa_maps; returns @buf. */
const char *numa_text(const struct numa_policy *policy, char buf[NUMA_TEXT_BYTES]);

#endif
