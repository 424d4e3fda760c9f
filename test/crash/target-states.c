/* Threads in other states: the vdso, a seccomp filter, restartable sequences. */
#include "target.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/rseq.h>
#include <sys/syscall.h>
#include <unistd.h>

void do_clock(struct slot *slot)
{
	static const struct timespec pause = { 0, 100000 };
	pid_t pid = getpid();

	for (int64_t last = 0;; nanosleep(&pause, NULL)) {
		for (int i = 0; i < 2000; i++) {
			int64_t now = now_ns();

			if (now < last)
				wrong(slot, "clock went back", now, last);
			last = now;
			expect(slot, "getpid", syscall(SYS_getpid), pid);
		}
		slot->loops++;
	}
}

#define ALLOW(nr) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)

void do_seccomp(struct slot *slot)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		ALLOW(SYS_nanosleep),
		ALLOW(SYS_clock_nanosleep),
		ALLOW(SYS_clock_gettime),
		ALLOW(SYS_restart_syscall),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
	};
	struct sock_fprog prog = { sizeof(code) / sizeof(code[0]), code };
	struct timespec t = ms(9);

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog))
		die("seccomp");
	for (;;) { /* not slept(): it asks for the mask, which the filter forbids */
		int64_t begin = now_ns();
		long ret = result(nanosleep(&t, NULL));

		if (ret == -EINTR)
			slot->eintr++;
		else if (ret || now_ns() - begin < 9 * NSEC_PER_MSEC)
			wrong(slot, "nanosleep", ret, 0);
		slot->loops++;
	}
}

/* Threads that add to per-processor counters; a step that was not restarted loses a count. */
#define RSEQ_BURST 20000

static struct {
	_Alignas(64) volatile uint64_t value;
} per_cpu[1024];
static pthread_barrier_t rseq_barrier;

/* Returns false when the kernel sent the thread to the abort address. */
static bool rseq_add(struct rseq *area)
{
	asm goto(".pushsection __rseq_cs, \"aw\"\n"
		 ".balign 32\n"
		 "1:	.long 0, 0\n"
		 "	.quad 2f, 3f - 2f, 4f\n"
		 ".popsection\n"
		 "	lea 1b(%%rip), %%rax\n"
		 "	mov %%rax, %c[cs](%[area])\n"
		 "2:	mov %c[cpu](%[area]), %%eax\n"
		 "	shl $6, %%rax\n"
		 "	mov (%[counters], %%rax), %%rcx\n"
		 "	inc %%rcx\n"
		 ".rept 24\n" /* a window worth hitting */
		 "	pause\n"
		 ".endr\n"
		 "	mov %%rcx, (%[counters], %%rax)\n"
		 "3:\n"
		 ".pushsection .text.unlikely, \"ax\"\n"
		 "	.byte 0x0f, 0xb9, 0x3d\n"
		 "	.long %c[sig]\n"
		 "4:	jmp %l[aborted]\n"
		 ".popsection\n"
		 :
		 : [area] "r"(area), [counters] "r"(per_cpu), [cs] "i"(offsetof(struct rseq, rseq_cs)),
		   [cpu] "i"(offsetof(struct rseq, cpu_id)), [sig] "i"(RSEQ_SIG)
		 : "rax", "rcx", "memory", "cc"
		 : aborted);
	return true;
aborted:
	return false;
}

static void check_per_cpu(struct slot *slot)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < sizeof(per_cpu) / sizeof(per_cpu[0]); i++) {
		sum += per_cpu[i].value;
		per_cpu[i].value = 0;
	}
	expect(slot, "sum of the per-processor counters", sum, RSEQ_THREADS * RSEQ_BURST);
}

void do_rseq(struct slot *slot)
{
	struct rseq *area = (struct rseq *)((char *)__builtin_thread_pointer() + __rseq_offset);
	struct timespec pause = ms(5);

	for (;;) {
		for (int done = 0; done < RSEQ_BURST;)
			done += rseq_add(area);
		if (pthread_barrier_wait(&rseq_barrier) == PTHREAD_BARRIER_SERIAL_THREAD) {
			check_per_cpu(slot);
			nanosleep(&pause, NULL);
		}
		pthread_barrier_wait(&rseq_barrier);
		slot->loops++;
	}
}

void init_rseq(void)
{
	pthread_barrier_init(&rseq_barrier, NULL, RSEQ_THREADS);
}
