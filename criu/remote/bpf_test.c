#include <linux/audit.h>
#include <errno.h>
#include <stddef.h>
#include <sys/syscall.h>

#include "remote/bpf.h"
#include "util/test.h"

#define LOAD(field)   BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define RETURN(value) BPF_STMT(BPF_RET | BPF_K, value)

static const struct seccomp_data call = {
	.nr = SYS_prctl,
	.arch = AUDIT_ARCH_X86_64,
	.instruction_pointer = 0x7fff00001234,
	.args = { 22, 0x1122334455667788, 3, 4, 5, 6 },
};

static long run(const struct sock_filter *code, size_t n)
{
	uint32_t ret;
	int err = bpf_run(code, n, &call, &ret);

	return err ? err : (long)ret;
}
#define RUN(...)                                                                                                       \
	run((const struct sock_filter[]){ __VA_ARGS__ },                                                               \
	    sizeof((const struct sock_filter[]){ __VA_ARGS__ }) / sizeof(struct sock_filter))

static void test_loads(void)
{
	CHECK_EQ(RUN(LOAD(nr), BPF_STMT(BPF_RET | BPF_A, 0)), SYS_prctl);
	CHECK_EQ(RUN(LOAD(arch), BPF_STMT(BPF_RET | BPF_A, 0)), AUDIT_ARCH_X86_64);
	CHECK_EQ(RUN(LOAD(args[1]), BPF_STMT(BPF_RET | BPF_A, 0)), 0x55667788);
	CHECK_EQ(RUN(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1]) + 4),
		     BPF_STMT(BPF_RET | BPF_A, 0)),
		 0x11223344);
	CHECK_EQ(RUN(BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0), BPF_STMT(BPF_RET | BPF_A, 0)), 64);
	CHECK_EQ(RUN(BPF_STMT(BPF_LDX | BPF_W | BPF_IMM, 7), BPF_STMT(BPF_MISC | BPF_TXA, 0),
		     BPF_STMT(BPF_RET | BPF_A, 0)),
		 7);
	CHECK_EQ(RUN(BPF_STMT(BPF_LD | BPF_IMM, 9), BPF_STMT(BPF_ST, 15), BPF_STMT(BPF_LDX | BPF_MEM, 15),
		     BPF_STMT(BPF_STX, 0), BPF_STMT(BPF_LD | BPF_MEM, 0), BPF_STMT(BPF_RET | BPF_A, 0)),
		 9);
}

static void test_alu(void)
{
	static const struct {
		uint16_t op;
		uint32_t k, want;
	} rows[] = {
		{ BPF_ADD, 5, 105 }, { BPF_SUB, 101, UINT32_MAX },   { BPF_MUL, 3, 300 },     { BPF_DIV, 7, 14 },
		{ BPF_OR, 3, 103 },  { BPF_AND, 0x60, 0x60 },	     { BPF_XOR, 0x60, 0x04 }, { BPF_LSH, 2, 400 },
		{ BPF_RSH, 2, 25 },  { BPF_NEG, 0, (uint32_t)-100 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		CHECK_EQ(RUN(BPF_STMT(BPF_LD | BPF_IMM, 100), BPF_STMT(BPF_ALU | BPF_K | rows[i].op, rows[i].k),
			     BPF_STMT(BPF_RET | BPF_A, 0)),
			 rows[i].want);
	/* By a register that is zero: the kernel ends the program with 0, which kills. */
	CHECK_EQ(RUN(BPF_STMT(BPF_ALU | BPF_DIV | BPF_X, 0), RETURN(SECCOMP_RET_ALLOW)), 0);
}

static void test_jumps(void)
{
	CHECK_EQ(RUN(LOAD(nr), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_prctl, 0, 1), RETURN(1), RETURN(2)), 1);
	CHECK_EQ(RUN(LOAD(nr), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_read, 0, 1), RETURN(1), RETURN(2)), 2);
	CHECK_EQ(RUN(LOAD(nr), BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, SYS_prctl, 0, 1), RETURN(1), RETURN(2)), 2);
	CHECK_EQ(RUN(LOAD(nr), BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, SYS_prctl, 0, 1), RETURN(1), RETURN(2)), 1);
	CHECK_EQ(RUN(LOAD(args[0]), BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 2, 0, 1), RETURN(1), RETURN(2)), 1);
	CHECK_EQ(RUN(BPF_STMT(BPF_JMP | BPF_JA, 1), RETURN(1), RETURN(2)), 2);
	CHECK_EQ(RUN(LOAD(nr), BPF_STMT(BPF_MISC | BPF_TAX, 0), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_X, 0, 0, 1), RETURN(1),
		     RETURN(2)),
		 1);
}

static void test_nonsense(void)
{
	CHECK_EQ(run(NULL, 0), -EINVAL);
	CHECK_EQ(RUN(LOAD(nr)), -EINVAL); /* runs off the end */
	CHECK_EQ(RUN(BPF_STMT(BPF_JMP | BPF_JA, UINT32_MAX), RETURN(1)), -EINVAL);
	CHECK_EQ(RUN(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 64), RETURN(1)), -EINVAL);
	CHECK_EQ(RUN(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 3), RETURN(1)), -EINVAL);
	CHECK_EQ(RUN(BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 0), RETURN(1)), -EINVAL);
	CHECK_EQ(RUN(BPF_STMT(BPF_LD | BPF_MEM, BPF_MEMWORDS), RETURN(1)), -EINVAL);
	CHECK_EQ(RUN(BPF_STMT(BPF_ST, BPF_MEMWORDS), RETURN(1)), -EINVAL);
	CHECK_EQ(RUN(BPF_STMT(BPF_ALU | 0xf0, 1), RETURN(1)), -EINVAL);
}

int main(void)
{
	test_loads();
	test_alu();
	test_jumps();
	test_nonsense();
	return test_end();
}
