#ifndef ZDTM_STATIC_CAPSET_H
#define ZDTM_STATIC_CAPSET_H

/* The capability sets of the calling thread as 64-bit masks, without libcap. */

#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "zdtmtst.h"

struct capset {
	uint64_t effective, permitted, inheritable, bounding, ambient;
};

#define CAP_BIT(cap) (1ULL << (cap))

/* Read all five sets; 0 or -1. */
static inline int capset_get(struct capset *ret)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];
	int cap, on;

	if (syscall(SYS_capget, &head, data))
		return -1;
	memset(ret, 0, sizeof(*ret));
	ret->effective = data[0].effective | (uint64_t)data[1].effective << 32;
	ret->permitted = data[0].permitted | (uint64_t)data[1].permitted << 32;
	ret->inheritable = data[0].inheritable | (uint64_t)data[1].inheritable << 32;
	for (cap = 0; cap < 64; cap++) {
		on = prctl(PR_CAPBSET_READ, cap);
		if (on < 0)
			break;
		ret->bounding |= on ? CAP_BIT(cap) : 0;
		on = prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, cap, 0, 0);
		ret->ambient |= on > 0 ? CAP_BIT(cap) : 0;
	}
	return 0;
}

/* Set the first three, in the calling thread only; 0 or -1. */
static inline int capset_set(const struct capset *set)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = {
		{ set->effective, set->permitted, set->inheritable },
		{ set->effective >> 32, set->permitted >> 32, set->inheritable >> 32 },
	};

	return syscall(SYS_capset, &head, data);
}

/* 1 with a message if the sets differ. */
static inline int capset_differ(const char *who, const struct capset *now, const struct capset *want)
{
	if (!memcmp(now, want, sizeof(*now)))
		return 0;
	return fail("%s: eff %llx prm %llx inh %llx bnd %llx amb %llx, were %llx %llx %llx %llx %llx", who,
		    (long long)now->effective, (long long)now->permitted, (long long)now->inheritable,
		    (long long)now->bounding, (long long)now->ambient, (long long)want->effective,
		    (long long)want->permitted, (long long)want->inheritable, (long long)want->bounding,
		    (long long)want->ambient);
}

#endif
