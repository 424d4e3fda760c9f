#include <errno.h>
#include <string.h>

#include "remote/bpf.h"

struct machine {
	const struct seccomp_data *data;
	uint32_t a, x;
	uint32_t mem[BPF_MEMWORDS];
};

static int run_load(struct machine *m, const struct sock_filter *insn)
{
	uint32_t *reg = BPF_CLASS(insn->code) == BPF_LD ? &m->a : &m->x;

	switch (BPF_MODE(insn->code)) {
	case BPF_IMM:
		*reg = insn->k;
		return 0;
	case BPF_MEM:
		if (insn->k >= BPF_MEMWORDS)
			return -EINVAL;
		*reg = m->mem[insn->k];
		return 0;
	case BPF_LEN:
		*reg = sizeof(*m->data);
		return 0;
	case BPF_ABS:
		if (BPF_CLASS(insn->code) != BPF_LD || BPF_SIZE(insn->code) != BPF_W || insn->k % 4 ||
		    insn->k >= sizeof(*m->data))
			return -EINVAL;
		memcpy(reg, (const char *)m->data + insn->k, 4);
		return 0;
	default:
		return -EINVAL;
	}
}

static int run_alu(struct machine *m, const struct sock_filter *insn)
{
	uint32_t operand = BPF_SRC(insn->code) == BPF_X ? m->x : insn->k;

	switch (BPF_OP(insn->code)) {
	case BPF_ADD:
		m->a += operand;
		return 0;
	case BPF_SUB:
		m->a -= operand;
		return 0;
	case BPF_MUL:
		m->a *= operand;
		return 0;
	case BPF_OR:
		m->a |= operand;
		return 0;
	case BPF_AND:
		m->a &= operand;
		return 0;
	case BPF_XOR:
		m->a ^= operand;
		return 0;
	/* The kernel takes shifts modulo 32, and for a division by a zero X ends the program with 0. */
	case BPF_LSH:
		m->a <<= operand & 31;
		return 0;
	case BPF_RSH:
		m->a >>= operand & 31;
		return 0;
	case BPF_DIV:
		if (operand)
			m->a /= operand;
		return operand ? 0 : -EDOM;
	case BPF_NEG:
		m->a = -m->a;
		return 0;
	default:
		return -EINVAL;
	}
}

/* How many instructions to skip, or -EINVAL. */
static int64_t run_jump(const struct machine *m, const struct sock_filter *insn)
{
	uint32_t operand = BPF_SRC(insn->code) == BPF_X ? m->x : insn->k;

	switch (BPF_OP(insn->code)) {
	case BPF_JA:
		return insn->k;
	case BPF_JEQ:
		return m->a == operand ? insn->jt : insn->jf;
	case BPF_JGT:
		return m->a > operand ? insn->jt : insn->jf;
	case BPF_JGE:
		return m->a >= operand ? insn->jt : insn->jf;
	case BPF_JSET:
		return m->a & operand ? insn->jt : insn->jf;
	default:
		return -EINVAL;
	}
}

/* Jumps only lead forward, so a program ends. */
int bpf_run(const struct sock_filter *code, size_t n, const struct seccomp_data *data, uint32_t *ret)
{
	struct machine m = { .data = data };

	for (uint64_t at = 0; at < n; at++) {
		const struct sock_filter *insn = &code[at];
		int64_t err = 0;

		switch (BPF_CLASS(insn->code)) {
		case BPF_LD:
		case BPF_LDX:
			err = run_load(&m, insn);
			break;
		case BPF_ST:
		case BPF_STX:
			if (insn->k >= BPF_MEMWORDS)
				return -EINVAL;
			m.mem[insn->k] = BPF_CLASS(insn->code) == BPF_ST ? m.a : m.x;
			break;
		case BPF_ALU:
			err = run_alu(&m, insn);
			break;
		case BPF_JMP:
			err = run_jump(&m, insn);
			if (err > 0)
				at += err;
			break;
		case BPF_RET:
			*ret = BPF_RVAL(insn->code) == BPF_A ? m.a : insn->k;
			return 0;
		case BPF_MISC:
			if (BPF_MISCOP(insn->code) == BPF_TXA)
				m.a = m.x;
			else
				m.x = m.a;
			break;
		}
		if (err == -EDOM) {
			*ret = 0;
			return 0;
		}
		if (err < 0)
			return err;
	}
	return -EINVAL;
}
