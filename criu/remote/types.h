/* Values that mean something only inside a target. Own types: mixing them with local ones does not compile. */
#ifndef CRIU_REMOTE_TYPES_H
#define CRIU_REMOTE_TYPES_H

#include "util/macros.h"

struct remote_addr {
	uint64_t v;
};

static inline struct remote_addr remote_addr_at(struct remote_addr base, uint64_t offset)
{
	return (struct remote_addr){ base.v + offset };
}

#endif
