/* Words of the register image and of the batch header, shared by stub-code.S and stub.c. */
#ifndef CRIU_ARCH_STUB_OFFSETS_H
#define CRIU_ARCH_STUB_OFFSETS_H

#define STUB_R15	 0
#define STUB_R14	 1
#define STUB_R13	 2
#define STUB_R12	 3
#define STUB_RBP	 4
#define STUB_RBX	 5
#define STUB_R11	 6
#define STUB_R10	 7
#define STUB_R9		 8
#define STUB_R8		 9
#define STUB_RAX	 10
#define STUB_RCX	 11
#define STUB_RDX	 12
#define STUB_RSI	 13
#define STUB_RDI	 14
#define STUB_RIP	 15
#define STUB_MASK	 16
#define STUB_CALL_GO	 17 /* as STUB_GO, for stub_call */
#define STUB_NAP_S	 18 /* struct timespec of the sleep at the end */
#define STUB_NAP_NS	 19
#define STUB_BORN	 20 /* CLOCK_MONOTONIC ns */
#define STUB_AREA	 21 /* where the scratch area is about to be mapped, and its bytes */
#define STUB_AREA_BYTES	 22
#define STUB_IMAGE_WORDS 23

#define STUB_GO		  0 /* cleared: no further call, heal */
#define STUB_N_OPS	  1
#define STUB_OPS	  2
#define STUB_KEEP_MASK	  3 /* heal without a system call */
#define STUB_END_NR	  4 /* the call that ends the batch */
#define STUB_END_ARG0	  5
#define STUB_END_ARG1	  6
#define STUB_END_ARG2	  7
#define STUB_HEADER_WORDS 8

#endif
