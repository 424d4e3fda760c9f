#include "spin.h"

const char *test_doc = "All sixteen XMM registers while the task computes";
const char *test_author = "The criu team";

#define EACH(op) op(0) op(1) op(2) op(3) op(4) op(5) op(6) op(7) op(8) op(9) op(10) op(11) op(12) op(13) op(14) op(15)
#define LOAD(n)	 "movdqu 16*" #n "(%[in]), %%xmm" #n "\n\t"
#define STORE(n) "movdqu %%xmm" #n ", 16*" #n "(%[out])\n\t"

static int spin(unsigned seed)
{
	unsigned char in[16 * 16], out[16 * 16];

	spin_fill(in, sizeof(in), seed);
	__asm__ volatile(EACH(LOAD) "1: pause\n\t"
				    "cmpl $0, %[end]\n\t"
				    "je 1b\n\t" EACH(STORE)
			 :
			 : [in] "r"(in), [out] "r"(out), [end] "m"(spin_end)
			 : "memory", "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8",
			   "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
	return spin_compare("xmm", out, in, sizeof(in), seed);
}

int main(int argc, char **argv)
{
	test_init(argc, argv);
	return spin_test();
}
