/* User code with every register in use; regs.S does the rounds. */
#include "target.h"

#include <asm/prctl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

struct regs {
	uint64_t gpr[16]; /* rax rbx rcx rdx rsi rdi rbp rsp r8..r15 */
	uint64_t flags;
	uint32_t mxcsr;
	uint16_t fpucw, pad;
	uint8_t x87[8][10];
	uint64_t masks[8];
	uint8_t pad2[32];
	uint8_t vec[32][64];
};

/* the layout regs.S knows */
struct regs_record {
	struct regs in;
	uint8_t pad[4096 - sizeof(struct regs)];
	struct regs out;
	uint8_t pad2[4096 - sizeof(struct regs)];
	uint64_t saved[2];
};

_Static_assert(offsetof(struct regs, flags) == 0x80, "regs.S");
_Static_assert(offsetof(struct regs, x87) == 0x90, "regs.S");
_Static_assert(offsetof(struct regs, masks) == 0xe0, "regs.S");
_Static_assert(offsetof(struct regs, vec) == 0x140, "regs.S");
_Static_assert(offsetof(struct regs_record, out) == 0x1000, "regs.S");
_Static_assert(offsetof(struct regs_record, saved) == 0x2000, "regs.S");

enum { RCX = 2, RSP = 7 };

void regs_round_sse(void);
void regs_round_avx(void);
void regs_round_avx512(void);

struct vectors {
	void (*round)(void);
	unsigned int nr, bytes;
	bool masks;
};

static struct vectors find_vectors(void)
{
	__builtin_cpu_init();
	if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw"))
		return (struct vectors){ regs_round_avx512, 32, 64, true };
	if (__builtin_cpu_supports("avx"))
		return (struct vectors){ regs_round_avx, 16, 32, false };
	return (struct vectors){ regs_round_sse, 16, 16, false };
}

static void fill_regs(struct regs *r, uint64_t *state)
{
	for (size_t i = 0; i < sizeof(*r) / 8; i++)
		((uint64_t *)r)[i] = next_random(state);
	r->gpr[RCX] = 200000 + next_random(state) % 400000; /* rounds to spin */
	r->flags = (r->flags & 0xcd5) | 0x202;		    /* CF PF AF ZF SF DF OF; IF */
	r->mxcsr = (r->mxcsr & 0x603f) | 0x1f80;	    /* any rounding, all masked */
	r->fpucw = (r->fpucw & 0x0c00) | 0x037f;
	for (int i = 0; i < 8; i++) { /* normal numbers: the others need not survive a load */
		r->x87[i][7] |= 0x80;
		r->x87[i][8] |= 1;
		r->x87[i][9] = (r->x87[i][9] & 0xbf) | 0x20;
	}
}

static void compare_regs(struct slot *slot, const struct regs *in, const struct regs *out, const struct vectors *v)
{
	static const char *const names[16] = { "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "rsp",
					       "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15" };

	for (int i = 0; i < 16; i++)
		expect(slot, names[i], out->gpr[i], i == RCX ? 0 : in->gpr[i]);
	expect(slot, "flags", out->flags & ~0x10000ULL, in->flags); /* RF may show after a trap */
	expect(slot, "mxcsr", out->mxcsr, in->mxcsr);
	expect(slot, "x87 control word", out->fpucw, in->fpucw);
	for (int i = 0; i < 8; i++) {
		if (memcmp(out->x87[i], in->x87[i], 10))
			wrong(slot, "x87 register", i, i);
		if (v->masks)
			expect(slot, "mask register", out->masks[i], in->masks[i]);
	}
	for (unsigned int i = 0; i < v->nr; i++)
		if (memcmp(out->vec[i], in->vec[i], v->bytes))
			wrong(slot, "vector register", i, i);
}

static void run_regs(struct slot *slot, bool with_stack)
{
	static const struct timespec pause = { 0, 200000 };
	struct vectors v = find_vectors();
	struct regs_record *rec = aligned_alloc(4096, (sizeof(*rec) + 4095) & ~4095UL);
	uint64_t state = now_ns() | 1, red_zone[2][16];

	if (!rec || syscall(SYS_arch_prctl, ARCH_SET_GS, rec))
		die("gs");
	for (;;) {
		fill_regs(&rec->in, &state);
		for (int i = 0; i < 16; i++)
			red_zone[0][i] = red_zone[1][i] = next_random(&state);
		if (with_stack) /* else %rsp is a random number */
			rec->in.gpr[RSP] = (uint64_t)&red_zone[1];
		v.round();
		compare_regs(slot, &rec->in, &rec->out, &v);
		if (memcmp(red_zone[0], red_zone[1] - 16, sizeof(red_zone[0])))
			wrong(slot, "red zone", 1, 0);
		slot->loops++;
		nanosleep(&pause, NULL); /* others want the processor, too */
	}
}

void regs_stack(struct slot *slot)
{
	run_regs(slot, true);
}

void regs_no_stack(struct slot *slot)
{
	run_regs(slot, false);
}
