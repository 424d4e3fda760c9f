/* Sealed mappings: mseal(2). */
#ifndef CRIU_MEM_MM_SEAL_H
#define CRIU_MEM_MM_SEAL_H

#include "image/model.h"
#include "remote/batch.h"

/** mm_seal_settle - queue: seal what was sealed. Nothing can be mapped, unmapped or protected there any more. */
int must_check mm_seal_settle(const MmEntry *mm, struct batch *batch);

#endif
