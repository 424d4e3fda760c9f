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
#define STUB_FLAGS	 16
#define STUB_RSP	 17
#define STUB_MASK	 18
#define STUB_IMAGE_WORDS 19

#define STUB_GO		  0
#define STUB_N_OPS	  1
#define STUB_OPS	  2
#define STUB_PID	  3
#define STUB_TID	  4
#define STUB_SIGNO	  5
#define STUB_HEADER_WORDS 6

#endif
