#include "cpuid.h"
#include "spin.h"
#include "taskutil.h"

const char *test_doc = "All thirty-two ZMM registers and the masks while the task computes";
const char *test_author = "The criu team";

#define EACH8(op, t) op(t##0) op(t##1) op(t##2) op(t##3) op(t##4) op(t##5) op(t##6) op(t##7)
#define EACH(op)                                                                                                       \
	op(0) op(1) op(2) op(3) op(4) op(5) op(6) op(7) op(8) op(9) EACH8(op, 1) op(18) op(19) EACH8(op, 2) op(28)     \
		op(29) op(30) op(31)
#define MASKS(op)  op(0) op(1) op(2) op(3) op(4) op(5) op(6) op(7)
#define LOAD(n)	   "vmovdqu64 64*" #n "(%[in]), %%zmm" #n "\n\t"
#define STORE(n)   "vmovdqu64 %%zmm" #n ", 64*" #n "(%[out])\n\t"
#define LOAD_K(n)  "kmovw 2048+2*" #n "(%[in]), %%k" #n "\n\t"
#define STORE_K(n) "kmovw %%k" #n ", 2048+2*" #n "(%[out])\n\t"

#define BYTES (32 * 64 + 8 * 2)

static int __attribute__((target("avx512f"))) spin(unsigned seed)
{
	unsigned char in[BYTES], out[BYTES];

	spin_fill(in, sizeof(in), seed);
	__asm__ volatile(EACH(LOAD) MASKS(LOAD_K) "1: pause\n\t"
						  "cmpl $0, %[end]\n\t"
						  "je 1b\n\t" EACH(STORE) MASKS(STORE_K) "vzeroupper\n\t"
			 :
			 : [in] "r"(in), [out] "r"(out), [end] "m"(spin_end)
			 : "memory", "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8",
			   "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15", "xmm16", "xmm17", "xmm18",
			   "xmm19", "xmm20", "xmm21", "xmm22", "xmm23", "xmm24", "xmm25", "xmm26", "xmm27", "xmm28",
			   "xmm29", "xmm30", "xmm31", "k0", "k1", "k2", "k3", "k4", "k5", "k6", "k7");
	return spin_compare("zmm", out, in, sizeof(in), seed);
}

int main(int argc, char **argv)
{
	test_init(argc, argv);
	if (!cpu_has_avx512f()) {
		skip("the processor has no AVX-512");
		return skipped_test();
	}
	return spin_test();
}
