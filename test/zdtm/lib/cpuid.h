#ifndef ZDTM_CPUID_H
#define ZDTM_CPUID_H

/*
 * What the processor has *and* the kernel saves on a context switch; a test of
 * registers asks both.
 */

#include <cpuid.h>
#include <stdbool.h>
#include <stdint.h>

#define XSTATE_SSE    0x002
#define XSTATE_AVX    0x004
#define XSTATE_AVX512 0x0e0
#define XSTATE_PKRU   0x200

static inline bool cpu_xstate_enabled(uint64_t bits)
{
	unsigned eax, ebx, ecx, edx;
	unsigned low, high;

	if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx) || !(ecx & bit_OSXSAVE))
		return false;
	__asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	return ((((uint64_t)high << 32) | low) & bits) == bits;
}

static inline bool cpu_has_avx(void)
{
	unsigned eax, ebx, ecx, edx;

	return __get_cpuid(1, &eax, &ebx, &ecx, &edx) && (ecx & bit_AVX) && cpu_xstate_enabled(XSTATE_SSE | XSTATE_AVX);
}

static inline bool cpu_has_avx512f(void)
{
	unsigned eax, ebx, ecx, edx;

	return __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) && (ebx & bit_AVX512F) &&
	       cpu_xstate_enabled(XSTATE_SSE | XSTATE_AVX | XSTATE_AVX512);
}

#endif
