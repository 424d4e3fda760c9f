#include "spin.h"

const char *test_doc = "x87 stack, control word and MXCSR while the task computes";
const char *test_author = "The criu team";

static int spin(unsigned seed)
{
	long double in[8], out[8];
	unsigned short control = seed == 1 ? 0x0c7f : 0x077f, control_after;
	unsigned mxcsr = seed == 1 ? 0x7f80 : 0x3fa0, mxcsr_after;
	int i;

	memset(in, 0, sizeof(in));
	memset(out, 0, sizeof(out));
	for (i = 0; i < 8; i++)
		in[i] = (i + 1) * 1.25L / seed;

	__asm__ volatile("fninit\n\t"
			 "fldcw %[cw]\n\t"
			 "ldmxcsr %[mx]\n\t"
			 "fldt 112(%[in])\n\t fldt 96(%[in])\n\t fldt 80(%[in])\n\t fldt 64(%[in])\n\t"
			 "fldt 48(%[in])\n\t fldt 32(%[in])\n\t fldt 16(%[in])\n\t fldt 0(%[in])\n\t"
			 "1: pause\n\t"
			 "cmpl $0, %[end]\n\t"
			 "je 1b\n\t"
			 "fnstcw %[cwa]\n\t"
			 "stmxcsr %[mxa]\n\t"
			 "fstpt 0(%[out])\n\t fstpt 16(%[out])\n\t fstpt 32(%[out])\n\t fstpt 48(%[out])\n\t"
			 "fstpt 64(%[out])\n\t fstpt 80(%[out])\n\t fstpt 96(%[out])\n\t fstpt 112(%[out])\n\t"
			 "fninit\n\t"
			 : [cwa] "=m"(control_after), [mxa] "=m"(mxcsr_after)
			 : [cw] "m"(control), [mx] "m"(mxcsr), [in] "r"(in), [out] "r"(out), [end] "m"(spin_end)
			 : "memory", "cc", "st", "st(1)", "st(2)", "st(3)", "st(4)", "st(5)", "st(6)", "st(7)");

	if (control_after != control)
		return fail("thread %u: control word %#x, was %#x", seed, control_after, control);
	if (mxcsr_after != mxcsr)
		return fail("thread %u: mxcsr %#x, was %#x", seed, mxcsr_after, mxcsr);
	return spin_compare("x87 stack", out, in, sizeof(in), seed);
}

int main(int argc, char **argv)
{
	test_init(argc, argv);
	return spin_test();
}
