// SPDX-License-Identifier: GPL-2.0
/*
 * What a program has in the registers of its CPU when it is saved is there when
 * it comes back, whether it was in user mode, in a call, or in a signal handler.
 *
 *	program			test
 *	loads all registers
 *	jumps to itself (or makes a call)
 *				checkpoint(KILL), restart(), twice
 *				lets it jump to the next instruction
 *	stores all registers
 *				compares one by one
 *
 * The restarter has other values in all that it inherits to the new process, so
 * nothing is right by accident. Built for i386, too.
 */
#include "ckpt_test.h"

#include <asm/ldt.h>
#include <asm/prctl.h>
#include <asm/processor-flags.h>
#include <cpuid.h>
#include <linux/hw_breakpoint.h>
#include <linux/perf_event.h>
#include <stdalign.h>
#include <stddef.h>
#include <sys/auxv.h>
#include <sys/io.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <ucontext.h>

#define __naked		__attribute__((naked, noipa))

/* The numbers stand in the assembler below, too. */
enum {
	AX, BX, CX, DX, SI, DI, BP, SP, R8, R9, R10, R11, R12, R13, R14, R15,
	FLAGS, DS, ES, FS, GS, SS, CS, FS_BASE, GS_BASE, NR_REGS
};

static const char *const reg_name[NR_REGS] = {
	"ax", "bx", "cx", "dx", "si", "di", "bp", "sp", "r8", "r9", "r10",
	"r11", "r12", "r13", "r14", "r15", "flags", "ds", "es", "fs", "gs",
	"ss", "cs", "base of fs", "base of gs"
};

#define BIT(n)		(1U << (n))

#define F(flag)		X86_EFLAGS_##flag
#define USER_FLAGS	(F(CF) | F(PF) | F(AF) | F(ZF) | F(SF) | F(TF) | F(DF) | \
			 F(OF) | F(NT) | F(AC) | F(ID))

#define CS_32		0x23
#define CS_64		0x33
#define USER_DS		0x2b
#define TLS_MIN		12
#define TLS_SEL(n)	((TLS_MIN + (n)) * 8 + 3)

#define FPU_SIZE	16384
#define MXCSR_DEFAULT	0x1f80

/* Components of XSAVE. */
enum {
	XF_FP, XF_SSE, XF_YMM, XF_OPMASK = 5, XF_ZMM_HI, XF_HI_ZMM, XF_PKRU = 9
};

#ifdef __x86_64__
#define NR_XMM		16
#define GENERAL		0xffffU
#else
#define NR_XMM		8
#define GENERAL		0xffU		/* ax to sp */
#endif
#define SELECTORS	(BIT(DS) | BIT(ES) | BIT(FS) | BIT(GS) | BIT(CS) | \
			 BIT(FS_BASE) | BIT(GS_BASE))

/* All that the assembler uses, or that changes behind C's back, is global. */
unsigned long want[NR_REGS], got[NR_REGS];
/* r8 to r15 of an i386 program that goes into 64-bit mode. */
__u64 want_high[8], got_high[8];
alignas(64) unsigned char want_fpu[FPU_SIZE], got_fpu[FPU_SIZE];
alignas(64) unsigned char set_fpu[FPU_SIZE], orig_fpu[FPU_SIZE];
alignas(64) unsigned char other_fpu[FPU_SIZE];
alignas(64) unsigned char handler_fpu[FPU_SIZE];
static alignas(64) unsigned char dirty_fpu[FPU_SIZE];
__u64 xmask;
unsigned char has_xsave;
/* How the bases get their values: arch_prctl(), WRFSBASE, or not at all. */
enum { BY_CALL, BY_INSN, BY_SELECTOR } set_bases;
void (*hold_entry)(void);
unsigned long saved_sp, saved_fs_base, vsyscall;
unsigned int handler32_cs, handler32_frame;
unsigned int starts, finished, handled, traps;

/* Two places where the program stays, and where each lets it go on. */
struct spin {
	__u64 here, next, reached;
} entry, in_handler;

/* ---- the assembler part --------------------------------------------- */

#ifdef __x86_64__
asm("WORD = 8\n");
#define ARG_IN_REG
#define ARG		"%rdi"
#define STACK		"%rsp"
#define SAVE		"save64"
#define RSTOR		"rstor64"
#define ALL		"rax,rbx,rcx,rdx,rsi,rdi,rbp,rsp," \
			"r8,r9,r10,r11,r12,r13,r14,r15"
#define KEPT		"rbx,rbp,r12,r13,r14,r15"
#define KEPT_REVERSED	"r15,r14,r13,r12,rbp,rbx"

#define LOAD_BASES			\
	"cmpl $1, set_bases\n"		\
	"ja 2f\n"			\
	"je 1f\n"			\
	"arch_prctl 0x1002, want+23*WORD\n" \
	"arch_prctl 0x1001, want+24*WORD\n" \
	"jmp 2f\n"			\
	"1: mov want+23*WORD, %rax\n"	\
	"wrfsbase %rax\n"		\
	"mov want+24*WORD, %rax\n"	\
	"wrgsbase %rax\n"		\
	"2:\n"
#define STORE_BASES			\
	"arch_prctl 0x1003, $got+23*WORD\n" \
	"arch_prctl 0x1004, $got+24*WORD\n" \
	"arch_prctl 0x1002, saved_fs_base\n"
#else
asm("WORD = 4\n");
#define ARG_IN_REG	__attribute__((fastcall))
#define ARG		"%ecx"
#define STACK		"%esp"
#define SAVE		"save"
#define RSTOR		"rstor"
#define ALL		"eax,ebx,ecx,edx,esi,edi,ebp,esp"
#define KEPT		"ebx,esi,edi,ebp,ds,es,fs,gs"
#define KEPT_REVERSED	"gs,fs,es,ds,ebp,edi,esi,ebx"

/* There is no call to read or set a base, so read through it. */
#define LOAD_BASES	""
#define STORE_BASES			\
	"cmpw $3, want+19*WORD\n"	\
	"jbe 1f\n"			\
	"mov %fs:0, %eax\n"		\
	"mov %eax, got+23*WORD\n"	\
	"1: cmpw $3, want+20*WORD\n"	\
	"jbe 2f\n"			\
	"mov %gs:0, %eax\n"		\
	"mov %eax, got+24*WORD\n"	\
	"2:\n"
#endif

/*
 * spin: jumps to itself until the test copies next to here. That takes no
 * register and no flag, and no code that changes under the CPU.
 */
asm(".macro spin at, base=\n"
	"movl $5f, \\at\\base\n"
	"movl $6f, \\at+8\\base\n"
	"movl $1, \\at+16\\base\n"
	"5: jmp *\\at\\base\n"
	"6:\n"
".endm\n"
".macro arch_prctl code, addr\n"
	"mov $158, %eax\n"
	"mov $\\code, %edi\n"
	"mov \\addr, %rsi\n"
	"syscall\n"
".endm\n"
".macro fpu insn\n"
	"mov xmask, %eax\n"
	"mov xmask+4, %edx\n"
	"cmpb $0, has_xsave\n"
	"je 1f\n"
	"x\\insn (" ARG ")\n"
	"ret\n"
	"1: fx\\insn (" ARG ")\n"
	"ret\n"
".endm\n");

/* An instruction for each register, of which n is the number. */
#define EACH(regs, first, insn)		\
	"n = " first "\n"		\
	".irp reg, " regs "\n"		\
	insn "\n"			\
	"n = n + 1\n"			\
	".endr\n"
#define LOAD(regs, first)	EACH(regs, first, "mov want+n*WORD, %\\reg")
#define STORE(regs, first)	EACH(regs, first, "mov %\\reg, got+n*WORD")

static __naked ARG_IN_REG void fpu_save(void *area)
{
	asm("fpu " SAVE);
}

static __naked ARG_IN_REG void fpu_load(void *area)
{
	asm("fpu " RSTOR);
}

#define FPU(op, area)	"mov $" area ", " ARG "\ncall fpu_" op "\n"

static __naked void hold(void)
{
	asm(EACH(KEPT, "0", "push %\\reg")
	    "mov " STACK ", saved_sp\n"
	    FPU("save", "orig_fpu")
	    FPU("load", "want_fpu")
	    FPU("save", "set_fpu")
	    LOAD("ds,es,fs,gs,ss", "17")
	    LOAD_BASES
	    "mov $want+16*WORD, " STACK "\n"
	    "popf\n"
	    LOAD(ALL, "0")
	    "jmp *hold_entry\n"

	    "hold_end: mov %cs, got+22*WORD\n"
	    "hold_end_other_mode:\n"
	    STORE(ALL, "0")
	    "mov $got+17*WORD, " STACK "\n"
	    "pushf\n"
	    STORE("ds,es,fs,gs,ss", "17")
	    "mov $0x2b, %eax\n"
	    "mov %eax, %ss\n"
	    "mov saved_sp, " STACK "\n"
	    "push $2\n"
	    "popf\n"
	    FPU("save", "got_fpu")
	    FPU("load", "orig_fpu")
	    STORE_BASES
	    EACH(KEPT_REVERSED, "0", "pop %\\reg")
	    "ret\n");
}

#define ENTRY(name, code) \
	static __naked void entry_##name(void) { asm(code "jmp hold_end\n"); }

ENTRY(spin, "spin entry\n")
ENTRY(fwait, "spin entry\nfwait\n")
ENTRY(int3, "spin entry\nint3\n")
ENTRY(int80, "movl $1, entry+16\nint $0x80\n")
#ifdef __x86_64__
ENTRY(syscall, "movl $1, entry+16\nsyscall\n")
#else
ENTRY(vsyscall, "movl $1, entry+16\ncall *vsyscall\n")
#endif

static __naked void handler_hold(void)
{
	asm(FPU("load", "other_fpu")
	    "spin in_handler\n"
	    FPU("save", "handler_fpu")
	    "ret\n");
}

#ifdef __x86_64__
/* A 64-bit process in 32-bit mode. */
#define IN_32_BIT_MODE(code)		\
	asm("ljmp *2f\n"		\
	    "2: .long 1f; .word 0x23\n"	\
	    ".code32\n"			\
	    "1: " code "\n"		\
	    "mov %cs, got+22*WORD\n"	\
	    "ljmp $0x33, $hold_end_other_mode\n" \
	    ".code64\n")

static __naked void entry_other_mode(void)
{
	IN_32_BIT_MODE("spin entry");
}

static __naked void entry_int80_other_mode(void)
{
	IN_32_BIT_MODE("movl $1, entry+16\nint $0x80");
}

static __naked void handler32(void)
{
	asm(".code32\n"
	    "mov %cs, handler32_cs\n"
	    "mov %esp, handler32_frame\n"
	    "spin in_handler\n"
	    "ret\n"
	    ".code64\n");
}

static __naked void restorer32(void)
{
	asm(".code32\n"
	    "mov $173, %eax\n"		/* rt_sigreturn */
	    "int $0x80\n"
	    ".code64\n");
}
#else
/* An i386 process in 64-bit mode. */
static __naked void entry_other_mode(void)
{
	asm("ljmp $0x33, $1f\n"
	    "2: .long hold_end_other_mode; .word 0x23\n"
	    ".code64\n"
	    "1:\n"
	    EACH("r8,r9,r10,r11,r12,r13,r14,r15", "0",
		 "mov want_high+n*8(%rip), %\\reg")
	    "spin entry, (%rip)\n"
	    EACH("r8,r9,r10,r11,r12,r13,r14,r15", "0",
		 "mov %\\reg, got_high+n*8(%rip)")
	    "mov %cs, got+22*WORD(%rip)\n"
	    "ljmp *2b(%rip)\n"
	    ".code32\n");
}
#endif

/* ---- TLS descriptors ------------------------------------------------ */

/* set_thread_area() and get_thread_area() exist only for i386. */
static long int80(long nr, long a, long b)
{
	long ret;

	asm volatile("int $0x80"
		     : "=a" (ret)
		     : "a" (nr), "b" (a), "c" (b)
#ifdef __x86_64__
		     : "memory", "r8", "r9", "r10", "r11");
#else
		     : "memory");
#endif
	return ret;
}

#define NR32_SIGACTION		174
#define NR32_SET_THREAD_AREA	243
#define NR32_GET_THREAD_AREA	244
#define NR32_SIGWAIT		421
#define NR32_CLOCK_NANOSLEEP	407

#ifdef __x86_64__
#define NR_SIGWAIT		__NR_rt_sigtimedwait
#else
#define NR_SIGWAIT		NR32_SIGWAIT
#endif

/* A 32-bit call takes them only below 4 GiB, so not on the stack. */
static struct user_desc want_tls[3], got_tls[3];

static void get_tls(struct user_desc *tls)
{
	int i;

	memset(tls, 0, 3 * sizeof(*tls));
	for (i = 0; i < 3; i++) {
		tls[i].entry_number = TLS_MIN + i;
		int80(NR32_GET_THREAD_AREA, (long)&tls[i], 0);
	}
}

static void set_tls(const struct user_desc *tls, int first)
{
	static struct user_desc one;

	for (; first < 3; first++) {
		one = tls[first];
		int80(NR32_SET_THREAD_AREA, (long)&one, 0);
	}
}

/* ---- contents of the FPU -------------------------------------------- */

struct fpu_reg {
	char name[16];
	unsigned int at, len;
};

static struct fpu_reg fpu_regs[256];
static int nr_fpu_regs;
static unsigned int pkru_at, fpu_size = 512;

static void fpu_reg(unsigned int at, unsigned int len, const char *fmt, int i)
{
	struct fpu_reg *r = &fpu_regs[nr_fpu_regs++];

	snprintf(r->name, sizeof(r->name), fmt, i);
	r->at = at;
	r->len = len;
}

/* Where a component lies, and its registers, each of @len bytes. */
static void fpu_component(int nr, unsigned int len, int nr_regs,
			  const char *name)
{
	unsigned int size, at, c, d;
	int i;

	if (!(xmask & BIT(nr)))
		return;
	__cpuid_count(0xd, nr, size, at, c, d);
	if (nr == XF_PKRU)
		pkru_at = at;
	if (fpu_size < at + size)
		fpu_size = at + size;
	for (i = 0; i < nr_regs; i++)
		fpu_reg(at + i * len, len, name, i);
}

static void fpu_find_registers(void)
{
	unsigned int a, b, c, d, lo, hi, i;

	nr_fpu_regs = 0;
	fpu_reg(0, 2, "x87 control", 0);
	fpu_reg(2, 2, "x87 status", 0);
	fpu_reg(4, 1, "x87 tags", 0);
	fpu_reg(24, 4, "MXCSR", 0);
	for (i = 0; i < 8; i++)
		fpu_reg(32 + 16 * i, 10, "st(%d)", i);
	for (i = 0; i < NR_XMM; i++)
		fpu_reg(160 + 16 * i, 16, "xmm%d", i);

	__cpuid(1, a, b, c, d);
	has_xsave = !!(c & bit_OSXSAVE);
	if (!has_xsave)
		return;
	asm volatile("xgetbv" : "=a" (lo), "=d" (hi) : "c" (0));
	xmask = BIT(XF_FP) | BIT(XF_SSE) | BIT(XF_YMM) | BIT(XF_PKRU);
#ifdef __x86_64__
	xmask |= BIT(XF_OPMASK) | BIT(XF_ZMM_HI) | BIT(XF_HI_ZMM);
#endif
	xmask &= lo;
	fpu_size = 576;
	fpu_component(XF_YMM, 16, NR_XMM, "ymm%d high");
	fpu_component(XF_OPMASK, 8, 8, "k%d");
	fpu_component(XF_ZMM_HI, 32, 16, "zmm%d high");
	fpu_component(XF_HI_ZMM, 64, 16, "zmm16+%d");
	fpu_component(XF_PKRU, 4, 1, "PKRU");
}

static void put(unsigned char *area, unsigned int at, __u64 val, int len)
{
	memcpy(area + at, &val, len);
}

/* Each register another value, and other ones for another @set. */
static void fpu_fill(unsigned char *area, int set)
{
	/*
	 * Rounding and precision; condition codes, the top and exceptions, all
	 * of them masked; key 0, which is that of all memory here, is open.
	 */
	static const struct { unsigned int control, status, mxcsr, pkru; } reg[] = {
		{ 0x067f, 0x5f22, 0xffd5, 0xaaaa9998 },
		{ 0x0a7f, 0x2a11, 0x3fa2, 0x12345670 },
		{ 0x0c7f, 0x1d08, 0x5f95, 0x55555554 },
	};
	unsigned int i, j;

	memset(area, 0, FPU_SIZE);
	for (i = 0; i < nr_fpu_regs; i++)
		for (j = 0; j < fpu_regs[i].len; j++)
			area[fpu_regs[i].at + j] = 85 * set + 37 * i + j;
	put(area, 0, reg[set].control, 2);
	put(area, 2, reg[set].status, 2);
	put(area, 4, 0xff, 1);
	put(area, 24, reg[set].mxcsr, 4);
	for (i = 0; i < 8; i++) {
		area[32 + 16 * i + 7] |= 0x80;
		put(area, 32 + 16 * i + 8, 0x3ffe + i + set, 2);
	}
	if (!has_xsave)
		return;
	put(area, 512, xmask, 8);
	if (pkru_at)
		put(area, pkru_at, reg[set].pkru, 4);
}

/* As a program finds it that has not used it. */
static void fpu_init(unsigned char *area)
{
	memset(area, 0, FPU_SIZE);
	put(area, 0, 0x037f, 2);
	put(area, 24, MXCSR_DEFAULT, 4);
}

static int check_fpu(struct __test_metadata *_metadata, const char *where,
		     const unsigned char *is, const unsigned char *should)
{
	const struct fpu_reg *r = fpu_regs;
	char hex[2][160];
	int i, j, bad = 0;

	for (; r < fpu_regs + nr_fpu_regs; r++) {
		if (!memcmp(is + r->at, should + r->at, r->len))
			continue;
		for (i = r->len - 1, j = 0; i >= 0; i--, j += 2) {
			sprintf(hex[0] + j, "%02x", is[r->at + i]);
			sprintf(hex[1] + j, "%02x", should[r->at + i]);
		}
		TH_LOG("%s: %s is %s, not %s", where, r->name, hex[0], hex[1]);
		bad++;
	}
	return bad;
}

static int check_regs(struct __test_metadata *_metadata, const char *where,
		      const unsigned long *is, unsigned int which,
		      unsigned long mask)
{
	unsigned long m;
	int i, bad = 0;

	for (i = 0; i < NR_REGS; i++) {
		m = i == FLAGS ? USER_FLAGS : i <= SP ? mask : ~0UL;
		if (!(which & BIT(i)) || !((is[i] ^ want[i]) & m))
			continue;
		TH_LOG("%s: %s is %lx, not %lx", where, reg_name[i],
		       is[i] & m, want[i] & m);
		bad++;
	}
	return bad;
}

/* ---- the program ---------------------------------------------------- */

static alignas(64) unsigned char scratch[65536];
static alignas(64) unsigned char altstack[65536];
static unsigned long tls_area = 0x13579bdf;
static struct { long long sec, nsec; } a_while = { 1, 500000000 }, minute = { 60 };
static __u64 usr1 = 1 << (SIGUSR1 - 1), usr2 = 1 << (SIGUSR2 - 1);
static unsigned int tls_first;

/* What a signal handler has seen. */
static struct {
	unsigned long regs[NR_REGS];
	unsigned char fpu[FPU_SIZE];
	siginfo_t info;
	stack_t stack;
	unsigned long sp;
} seen;

static void (*install)(void);

static void program(void *arg)
{
	starts++;
	sigprocmask(SIG_BLOCK, (sigset_t *)&usr2, NULL);
	if (install)
		install();
	else
		sigprocmask(SIG_BLOCK, (sigset_t *)&usr1, NULL);
	set_tls(want_tls, tls_first);
	hold();
	get_tls(got_tls);
	finished = 1;
	syscall(NR_SIGWAIT, &usr2, NULL, NULL, 8);
	_exit(starts == 1 ? 42 : 1);
}

/* ---- the test ------------------------------------------------------- */

static bool peek(pid_t pid, void *to, const void *from, size_t len)
{
	struct iovec l = { to, len }, r = { (void *)from, len };

	return process_vm_readv(pid, &l, 1, &r, 1, 0) == len;
}

#define PEEK(pid, obj)					\
({							\
	typeof(obj) *p_ = &(obj);			\
	peek(pid, p_, p_, sizeof(*p_));			\
})

/* Waits until the first byte of a variable of @pid is not 0. */
static bool wait_for(pid_t pid, const void *var)
{
	unsigned char now = 0;
	int ms;

	for (ms = 0; ms < 5000 && !now; ms++) {
		if (!peek(pid, &now, var, 1))
			return false;
		if (!now)
			poll(NULL, 0, 1);
	}
	return now;
}

static bool poke(pid_t pid, void *to, void *from, size_t len)
{
	struct iovec l = { from, len }, r = { to, len };

	return process_vm_writev(pid, &l, 1, &r, 1, 0) == len;
}

static bool release(pid_t pid, struct spin *spin)
{
	__u64 next;

	return peek(pid, &next, &spin->next, sizeof(next)) &&
	       poke(pid, &spin->here, &next, sizeof(next));
}

/* Does it sleep in a call, before it is through? */
static bool wait_in_call(pid_t pid)
{
	int ms;

	for (ms = 0; ms < 5000 && ckpt_syscall(pid) < 0; ms++)
		poll(NULL, 0, 1);
	return ckpt_syscall(pid) >= 0 && PEEK(pid, finished) && !finished;
}

/* What a restarted process might have kept of its restarter. */
static void dirty(bool on)
{
	static struct user_desc last[2] = {
		{
			.entry_number = TLS_MIN + 2,
			.read_exec_only = 1,
			.seg_not_present = 1,
		}, {
			.entry_number = TLS_MIN + 2,
			.base_addr = 0x87654000,
			.limit = 0x321,
			.seg_32bit = 1,
		}
	};

	if (on)
		fpu_save(orig_fpu);
	fpu_load(on ? dirty_fpu : orig_fpu);
#ifdef __x86_64__
	syscall(__NR_arch_prctl, ARCH_SET_GS, on ? 0x98760000L : 0L);
	asm volatile("mov %0, %%ds; mov %0, %%es" :: "r" (on ? USER_DS : 0));
#endif
	int80(NR32_SET_THREAD_AREA, (long)&last[on], 0);
}

static bool restart_dirty(struct __test_metadata *_metadata, pid_t pid)
{
	pid_t back;

	dirty(true);
	back = ckpt_restart(CKPT_IMG, pid);
	dirty(false);
	if (back != pid)
		TH_LOG("restart: %d %s", back, ckpt_log_text);
	return back == pid;
}

static bool kill_and_restart(struct __test_metadata *_metadata, pid_t pid)
{
	long ret = ckpt_save(pid, CKPT_IMG, CHECKPOINT_KILL);

	if (ret < 0)
		TH_LOG("checkpoint: %ld %s", ret, ckpt_log_text);
	return ret >= 0 && ckpt_wait(pid, 5000) == 256 + SIGKILL &&
	       restart_dirty(_metadata, pid);
}

/* As the test itself is; then each general register has a value of its own. */
static void set_up(void)
{
	int i;

	asm volatile("mov %%ds, %0" : "=m" (want[DS]));
	asm volatile("mov %%es, %0" : "=m" (want[ES]));
	asm volatile("mov %%fs, %0" : "=m" (want[FS]));
	asm volatile("mov %%gs, %0" : "=m" (want[GS]));
	asm volatile("mov %%ss, %0" : "=m" (want[SS]));
	asm volatile("mov %%cs, %0" : "=m" (want[CS]));
	for (i = AX; i <= R15; i++)
		want[i] = (unsigned long)(0x0123456789abcdefULL * (2 * i + 1));
	for (i = 0; i < 8; i++)
		want_high[i] = 0xfedcba9876543211ULL * (2 * i + 3);
	/* A stack that a signal handler can use. */
	want[SP] = (unsigned long)(scratch + sizeof(scratch) - 1024);
	want[FLAGS] = F(ID) | F(OF) | F(DF) | F(ZF) | F(CF);
#ifdef __x86_64__
	syscall(__NR_arch_prctl, ARCH_GET_FS, &want[FS_BASE]);
	syscall(__NR_arch_prctl, ARCH_GET_GS, &want[GS_BASE]);
	saved_fs_base = want[FS_BASE];
#else
	/* The C library's thread control block points to itself. */
	asm volatile("mov %%gs:0, %0" : "=r" (want[GS_BASE]));
	vsyscall = getauxval(AT_SYSINFO);
#endif
	get_tls(want_tls);
	tls_first = 3;		/* none to be set */
	fpu_find_registers();
	fpu_fill(want_fpu, 0);
	fpu_fill(other_fpu, 1);
	fpu_fill(dirty_fpu, 2);
}

static int check_tls(struct __test_metadata *_metadata)
{
	int i, bad = 0;

	for (i = 0; i < 3; i++) {
		if (!memcmp(&got_tls[i], &want_tls[i], sizeof(got_tls[i])))
			continue;
		TH_LOG("TLS entry %d: base %x limit %x, not base %x limit %x, or flags",
		       TLS_MIN + i, got_tls[i].base_addr, got_tls[i].limit,
		       want_tls[i].base_addr, want_tls[i].limit);
		bad++;
	}
	return bad;
}

/* A program in its loop, or about to call; -1 on failure. */
static pid_t start(void (*how)(void), int keep)
{
	pid_t pid;

	hold_entry = how;
	pid = ckpt_spawn(program, NULL, keep);
	if (pid > 0 && !wait_for(pid, &entry.reached)) {
		ckpt_kill(pid);
		return -1;
	}
	return pid;
}

/* Lets it go on if it stays at @spin, and takes over what it found. */
static bool ends_well(pid_t pid, struct spin *spin)
{
	if (spin && !release(pid, spin))
		return false;
	if (!wait_for(pid, &finished) || !PEEK(pid, got) ||
	    !PEEK(pid, got_fpu) || !PEEK(pid, set_fpu) || !PEEK(pid, got_tls) ||
	    !PEEK(pid, got_high) || !PEEK(pid, handler_fpu) || !PEEK(pid, seen) ||
	    !PEEK(pid, handled) || kill(pid, SIGUSR2))
		return false;
	return ckpt_wait(pid, 5000) == 42;
}

/* ---- user mode and calls -------------------------------------------- */

FIXTURE(regs)
{
	pid_t pid;
};

/*
 * @how: it waits
 * @call: puts a call and its arguments into the registers; else it spins
 * @fill: fills what is special
 * @lost: the general registers that need not come back
 * @low: of ax to sp, only the lower 32 bits do
 * @result: what a call returns, which is the signal that ends it
 */
FIXTURE_VARIANT(regs)
{
	void (*how)(void);
	void (*call)(void);
	void (*fill)(void);
	unsigned int lost;
	bool low;
	long result;
};

FIXTURE_SETUP(regs)
{
	set_up();
#ifdef __x86_64__
	want[FS_BASE] = 0x123456789000;
	want[GS_BASE] = 0x5678abcde120;
#endif
}

FIXTURE_TEARDOWN(regs)
{
	ckpt_kill(self->pid);
	unlink(CKPT_IMG);
}

#define ADD_REGS(name, entry_how, ...) \
	FIXTURE_VARIANT_ADD(regs, name) { .how = entry_how, __VA_ARGS__ }
#define ADD_SPIN(name, ...) ADD_REGS(name, entry_spin, __VA_ARGS__)

static void no_fpu(void)
{
	fpu_init(want_fpu);
}

/* Three registers of the x87 are in use. */
static void x87_in_part(void)
{
	put(want_fpu, 2, 5 << 11, 2);
	put(want_fpu, 4, 0xe0, 1);
}

/* Of all registers only those of one component are in use. */
static void one_component(int nr, const char *name)
{
	static unsigned char all[FPU_SIZE];
	const struct fpu_reg *r = fpu_regs;

	memcpy(all, want_fpu, sizeof(all));
	fpu_init(want_fpu);
	put(want_fpu, 512, BIT(nr), 8);
	for (; r < fpu_regs + nr_fpu_regs; r++)
		if (!strncmp(r->name, name, 3))
			memcpy(want_fpu + r->at, all + r->at, r->len);
}

static void sse_alone(void)
{
	one_component(XF_SSE, "xmm");
}

static void ymm_alone(void)
{
	one_component(XF_YMM, "ymm");
}

/* What an interrupted call has there, but this is none. */
static void like_a_restart(void)
{
	want[AX] = -512;		/* -ERESTARTSYS */
}

/* Flat descriptors but for the last one; the C library for i386 has the first. */
static void fill_tls(void)
{
	int i;

	tls_first = !want_tls[0].seg_not_present;
	for (i = tls_first; i < 3; i++)
		want_tls[i] = (struct user_desc){
			.entry_number = TLS_MIN + i,
			.limit = 0xfffff,
			.seg_32bit = 1,
			.limit_in_pages = 1,
		};
	want_tls[2].base_addr = (unsigned long)&tls_area;
	want_tls[2].limit = 0x4321;
	want_tls[2].useable = 1;
	want_tls[2].read_exec_only = 1;
}

static void data_selectors(void)
{
	want[DS] = USER_DS;
	want[ES] = USER_DS;
#ifdef __x86_64__
	want[FS] = USER_DS;
	want[GS] = USER_DS;
	want[FS_BASE] = 0;
	want[GS_BASE] = 0;
	set_bases = BY_SELECTOR;
#endif
}

static void tls_selectors(void)
{
	fill_tls();
	want[DS] = TLS_SEL(1);
	want[ES] = TLS_SEL(1);
	want[SS] = TLS_SEL(1);
	want[FS] = TLS_SEL(2);
#ifdef __x86_64__
	want_tls[0].base_addr = 0xabcd0000;
	want[GS] = TLS_SEL(0);
	want[FS_BASE] = want_tls[2].base_addr;
	want[GS_BASE] = want_tls[0].base_addr;
	set_bases = BY_SELECTOR;
#else
	want[FS_BASE] = tls_area;
#endif
}

static void other_mode(void)
{
#ifdef __x86_64__
	want[DS] = USER_DS;
	want[ES] = USER_DS;
	want[CS] = CS_32;
#else
	want[CS] = CS_64;
#endif
}

/* Arguments of a 32-bit call; what is above them has to stay there. */
static void call32(unsigned long nr, unsigned long bx, unsigned long cx,
		   unsigned long dx, unsigned long si)
{
	static const unsigned char reg[] = { AX, BX, CX, DX, SI };
	unsigned long arg[] = { nr, bx, cx, dx, si };
	int i;

	for (i = 0; i < 5; i++) {
		want[reg[i]] &= ~0xffffffffUL;
		want[reg[i]] |= arg[i];
	}
}

static void sleep32(void)
{
	call32(NR32_CLOCK_NANOSLEEP, CLOCK_MONOTONIC, 0, (long)&a_while, 0);
}

static void sigwait32(void)
{
	call32(NR32_SIGWAIT, (long)&usr1, 0, 0, 8);
}

static void sigwait_timeout32(void)
{
	call32(NR32_SIGWAIT, (long)&usr1, 0, (long)&minute, 8);
}

ADD_SPIN(user_mode);
ADD_SPIN(like_a_restart, .fill = like_a_restart);
ADD_SPIN(fpu_not_used, .fill = no_fpu);
ADD_SPIN(x87_in_part, .fill = x87_in_part);
ADD_SPIN(sse_alone, .fill = sse_alone);
ADD_SPIN(ymm_alone, .fill = ymm_alone);
ADD_SPIN(data_selectors, .fill = data_selectors);
ADD_SPIN(tls_selectors, .fill = tls_selectors);
/* TLS descriptors that no selector refers to. */
ADD_SPIN(tls_descriptors, .fill = fill_tls);
/* The upper halves of ax to sp are undefined after 32-bit mode. */
ADD_REGS(other_mode, entry_other_mode, .fill = other_mode, .low = true);

ADD_REGS(int80_sleep, entry_int80, .call = sleep32);
ADD_REGS(int80_sigwait, entry_int80, .call = sigwait32,
	 .result = SIGUSR1);
ADD_REGS(int80_sigwait_timeout, entry_int80,
	 .call = sigwait_timeout32, .result = SIGUSR1);

#ifdef __x86_64__
/* A selector and a base that is not that of its descriptor. */
static void base_and_selector(void)
{
	want[FS] = USER_DS;
	want[GS] = USER_DS;
	set_bases = BY_INSN;
}

static void sleep64(void)
{
	want[AX] = __NR_nanosleep;
	want[DI] = (long)&a_while;
	want[SI] = 0;
}

static void sigwait64(void)
{
	want[AX] = NR_SIGWAIT;
	want[DI] = (long)&usr1;
	want[SI] = 0;
	want[DX] = 0;
	want[R10] = 8;
}

static void sigwait_timeout64(void)
{
	sigwait64();
	want[DX] = (long)&minute;
}

/* The instruction itself takes these two. */
#define BY_SYSCALL	(BIT(CX) | BIT(R11))

ADD_SPIN(base_and_selector, .fill = base_and_selector);
ADD_REGS(other_mode_int80_sleep, entry_int80_other_mode,
	 .call = sleep32, .fill = other_mode, .low = true);
ADD_REGS(other_mode_int80_sigwait, entry_int80_other_mode,
	 .call = sigwait32, .fill = other_mode, .low = true,
	 .result = SIGUSR1);
ADD_REGS(syscall_sleep, entry_syscall, .call = sleep64,
	 .lost = BY_SYSCALL);
ADD_REGS(syscall_sigwait, entry_syscall, .call = sigwait64,
	 .lost = BY_SYSCALL, .result = SIGUSR1);
ADD_REGS(syscall_sigwait_timeout, entry_syscall,
	 .call = sigwait_timeout64, .lost = BY_SYSCALL, .result = SIGUSR1);
#else
/* As the C library calls: SYSENTER or SYSCALL where the CPU has them. */
ADD_REGS(vsyscall_sleep, entry_vsyscall, .call = sleep32);
ADD_REGS(vsyscall_sigwait, entry_vsyscall, .call = sigwait32,
	 .result = SIGUSR1);
ADD_REGS(vsyscall_sigwait_timeout, entry_vsyscall,
	 .call = sigwait_timeout32, .result = SIGUSR1);
#endif

TEST_F(regs, come_back)
{
	unsigned int which = (GENERAL & ~variant->lost) | BIT(FLAGS) | SELECTORS;
	int i;

#ifdef __x86_64__
	if (variant->fill == base_and_selector && !(getauxval(AT_HWCAP2) & 2))
		SKIP(return, "no FSGSBASE");
#endif
	if (variant->fill == ymm_alone && !(xmask & BIT(XF_YMM)))
		SKIP(return, "no AVX");
	if (variant->fill)
		variant->fill();
	if (variant->call)
		variant->call();
	else
		which |= BIT(SS);
	self->pid = start(variant->how, -1);
	ASSERT_LT(0, self->pid);

	/* A second time, from what the first restart made. */
	for (i = 0; i < 2; i++) {
		if (variant->call)
			ASSERT_TRUE(wait_in_call(self->pid));
		ASSERT_TRUE(kill_and_restart(_metadata, self->pid));
	}
	if (variant->result)
		kill(self->pid, variant->result);
	ASSERT_TRUE(ends_well(self->pid, variant->call ? NULL : &entry));

	if (variant->call)
		want[AX] = variant->result;
	EXPECT_EQ(0, check_regs(_metadata, "registers", got, which,
				variant->low ? 0xffffffff : ~0UL));
	EXPECT_EQ(0, check_fpu(_metadata, "FPU", got_fpu, want_fpu));
	/* The last instruction and operand of the x87, if the CPU keeps them. */
	EXPECT_EQ(0, memcmp(got_fpu + 6, set_fpu + 6, 18));
	EXPECT_EQ(0, check_tls(_metadata));
#ifndef __x86_64__
	for (i = 0; i < 8 && variant->how == entry_other_mode; i++)
		EXPECT_EQ(want_high[i], got_high[i])
			TH_LOG("r%d", 8 + i);
#endif
}

/* ---- what is no variant --------------------------------------------- */

FIXTURE(alone)
{
	pid_t pid;
};

FIXTURE_SETUP(alone)
{
	set_up();
}

FIXTURE_TEARDOWN(alone)
{
	ckpt_kill(self->pid);
	unlink(CKPT_IMG);
}

/* Each flag for itself, all of them, and none. */
TEST_F(alone, each_flag)
{
	static const unsigned int flags[] = {
		0, F(CF), F(PF), F(AF), F(ZF), F(SF), F(DF), F(OF), F(NT),
		F(AC), F(ID), USER_FLAGS & ~F(TF)
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		want[FLAGS] = flags[i];
		self->pid = start(entry_spin, -1);
		ASSERT_LT(0, self->pid);
		ASSERT_TRUE(kill_and_restart(_metadata, self->pid));
		ASSERT_TRUE(ends_well(self->pid, &entry));
		EXPECT_EQ(flags[i], got[FLAGS] & USER_FLAGS);
	}
	self->pid = 0;
}

/* The call that saves is one that keeps registers, too. */
TEST_F(alone, saves_itself)
{
#ifdef __x86_64__
	unsigned int which = (GENERAL & ~BY_SYSCALL) | BIT(FLAGS) | SELECTORS;
	void (*how)(void) = entry_syscall;
#else
	unsigned int which = GENERAL | BIT(FLAGS) | SELECTORS;
	void (*how)(void) = entry_int80;
#endif
	int fd = open(CKPT_IMG, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	ASSERT_LE(0, fd);
#ifdef __x86_64__
	want[AX] = __NR_checkpoint;
	want[DI] = 0;
	want[SI] = fd;
	want[DX] = CHECKPOINT_SUBTREE;
	want[R10] = 0;
	want[R8] = 0;
#else
	call32(__NR_checkpoint, 0, fd, CHECKPOINT_SUBTREE, 0);
	want[DI] = 0;
#endif
	self->pid = start(how, fd);
	ASSERT_LT(0, self->pid);
	close(fd);
	ASSERT_TRUE(ends_well(self->pid, NULL));
	ASSERT_LT(0, (long)got[AX]);
	want[AX] = got[AX];
	EXPECT_EQ(0, check_regs(_metadata, "saved", got, which, ~0UL));
	EXPECT_EQ(0, check_fpu(_metadata, "saved", got_fpu, want_fpu));

	ASSERT_TRUE(restart_dirty(_metadata, self->pid));
	ASSERT_TRUE(ends_well(self->pid, NULL));
	want[AX] = 0;
	EXPECT_EQ(0, check_regs(_metadata, "restarted", got, which, ~0UL));
	EXPECT_EQ(0, check_fpu(_metadata, "restarted", got_fpu, want_fpu));
}

static void on_trap(int sig)
{
	traps++;
}

static void install_trap(void)
{
	struct sigaction sa = { .sa_handler = on_trap, .sa_flags = SA_ONSTACK };
	stack_t ss = { .ss_sp = altstack, .ss_size = sizeof(altstack) };

	sigaltstack(&ss, NULL);
	sigaction(SIGTRAP, &sa, NULL);
}

static bool traps_again(pid_t pid)
{
	unsigned int none = 0;

	return poke(pid, &traps, &none, sizeof(none)) && wait_for(pid, &traps);
}

/* A program that single-steps itself, as a debugger in the process does. */
TEST_F(alone, trap_flag)
{
	int i;

	want[FLAGS] |= F(TF);
	install = install_trap;
	self->pid = start(entry_spin, -1);
	ASSERT_LT(0, self->pid);
	for (i = 0; i < 3; i++) {
		ASSERT_TRUE(traps_again(self->pid));
		ASSERT_TRUE(kill_and_restart(_metadata, self->pid));
	}
	ASSERT_TRUE(traps_again(self->pid));
	ASSERT_TRUE(ends_well(self->pid, &entry));
	EXPECT_EQ(0, check_regs(_metadata, "registers", got,
				GENERAL | BIT(FLAGS) | SELECTORS, ~0UL));
}

/* ---- signal handlers ------------------------------------------------ */

#ifdef __x86_64__
#define FRAME_FX(fpregs)	((unsigned char *)(fpregs))
#else
/* Behind what FSAVE stores. */
#define FRAME_FX(fpregs)	((unsigned char *)(fpregs) + 112)
#endif

static void took(const mcontext_t *mc)
{
	static const unsigned char greg[NR_REGS] = {
#ifdef __x86_64__
		REG_RAX, REG_RBX, REG_RCX, REG_RDX, REG_RSI, REG_RDI, REG_RBP,
		REG_RSP, REG_R8, REG_R9, REG_R10, REG_R11, REG_R12, REG_R13,
		REG_R14, REG_R15, REG_EFL
#else
		REG_EAX, REG_EBX, REG_ECX, REG_EDX, REG_ESI, REG_EDI, REG_EBP,
		REG_UESP, 0, 0, 0, 0, 0, 0, 0, 0, REG_EFL, REG_DS, REG_ES,
		REG_FS, REG_GS, REG_SS, REG_CS
#endif
	};
	int i;

	for (i = 0; i < NR_REGS; i++)
		seen.regs[i] = mc->gregs[greg[i]];
	memcpy(seen.fpu, FRAME_FX(mc->fpregs), fpu_size);
	seen.sp = (unsigned long)__builtin_frame_address(0);
	handler_hold();
	sigaltstack(NULL, &seen.stack);
	handled++;
}

static void on_signal(int sig, siginfo_t *info, void *ctx)
{
	seen.info = *info;
	took(&((ucontext_t *)ctx)->uc_mcontext);
}

#ifndef __x86_64__
/* Without SA_SIGINFO there is another frame, and another call to leave it. */
static void on_signal_old(int sig, mcontext_t mc)
{
	seen.info.si_pid = getppid();
	took(&mc);
}
#endif

static int handler_flags, handler_signal;

static void install_handler(void)
{
	struct sigaction sa = { .sa_flags = handler_flags };
	stack_t ss = { .ss_sp = altstack, .ss_size = sizeof(altstack) };

	sa.sa_sigaction = on_signal;
#ifndef __x86_64__
	if (!(handler_flags & SA_SIGINFO))
		sa.sa_handler = (void *)on_signal_old;
#endif
	sigaction(handler_signal, &sa, NULL);
	if (handler_flags & SA_ONSTACK)
		sigaltstack(&ss, NULL);
}

/* The handler of SIGUSR1, or of the SIGTRAP that INT3 makes. */
FIXTURE(handler)
{
	pid_t pid;
};

FIXTURE_VARIANT(handler)
{
	int flags;
	bool int3;
};

#define ADD_HANDLER(name, sa_flags, ...) \
	FIXTURE_VARIANT_ADD(handler, name) { .flags = sa_flags, __VA_ARGS__ }

ADD_HANDLER(siginfo, SA_SIGINFO);
ADD_HANDLER(altstack, SA_SIGINFO | SA_ONSTACK);
ADD_HANDLER(int3, SA_SIGINFO, .int3 = true);
#ifndef __x86_64__
ADD_HANDLER(old_frame, 0);
ADD_HANDLER(old_frame_altstack, SA_ONSTACK);
#endif

FIXTURE_SETUP(handler)
{
	set_up();
	handler_flags = variant->flags;
	handler_signal = variant->int3 ? SIGTRAP : SIGUSR1;
	install = install_handler;
	self->pid = start(variant->int3 ? entry_int3 : entry_spin, -1);
	ASSERT_LT(0, self->pid);
}

FIXTURE_TEARDOWN(handler)
{
	ckpt_kill(self->pid);
	unlink(CKPT_IMG);
}

#ifdef __x86_64__
#define IN_FRAME	(GENERAL | BIT(FLAGS))
#else
#define IN_FRAME	(GENERAL | BIT(FLAGS) | BIT(DS) | BIT(ES) | \
			 BIT(FS) | BIT(GS) | BIT(SS) | BIT(CS))
#endif

/*
 * The signal comes after a restart. The handler is saved in its turn, and
 * returns to what it interrupted after that.
 */
TEST_F(handler, come_back)
{
	int i;

	ASSERT_TRUE(kill_and_restart(_metadata, self->pid));
	ASSERT_TRUE(variant->int3 ? release(self->pid, &entry) :
				    !kill(self->pid, SIGUSR1));
	ASSERT_TRUE(wait_for(self->pid, &in_handler.reached));
	for (i = 0; i < 2; i++)
		ASSERT_TRUE(kill_and_restart(_metadata, self->pid));
	ASSERT_TRUE(release(self->pid, &in_handler));
	ASSERT_TRUE(wait_for(self->pid, &handled));
	ASSERT_TRUE(ends_well(self->pid, &entry));

	EXPECT_EQ(1, handled);
	EXPECT_EQ(0, check_regs(_metadata, "frame", seen.regs, IN_FRAME, ~0UL));
	EXPECT_EQ(0, check_fpu(_metadata, "frame", seen.fpu, want_fpu));
	EXPECT_EQ(0, check_fpu(_metadata, "handler", handler_fpu, other_fpu));
	EXPECT_EQ(0, check_regs(_metadata, "after the handler", got,
				GENERAL | BIT(FLAGS) | SELECTORS | BIT(SS),
				~0UL));
	EXPECT_EQ(0, check_fpu(_metadata, "after the handler", got_fpu,
			       want_fpu));
	EXPECT_GT(sizeof(altstack), seen.sp - (unsigned long)
		  (variant->flags & SA_ONSTACK ? altstack : scratch));
	EXPECT_EQ(variant->flags & SA_ONSTACK ? SS_ONSTACK : SS_DISABLE,
		  seen.stack.ss_flags);
	EXPECT_TRUE(variant->int3 ? seen.info.si_code == SI_KERNEL :
				    seen.info.si_pid == getpid());
}

static void on_fpe(int sig, siginfo_t *info, void *ctx)
{
	ucontext_t *uc = ctx;
	unsigned char *fx = FRAME_FX(uc->uc_mcontext.fpregs);

	memcpy(seen.fpu, fx, fpu_size);
	seen.info = *info;
	handled++;
	/* Masked and cleared, it does not come again. */
	put(fx, 0, 0x037f, 2);
	put(fx, 2, 0, 2);
#ifndef __x86_64__
	uc->uc_mcontext.fpregs->cw = 0xffff037f;
	uc->uc_mcontext.fpregs->sw = 0xffff0000;
#endif
}

static void install_fpe(void)
{
	struct sigaction sa = { .sa_flags = SA_SIGINFO };

	sa.sa_sigaction = on_fpe;
	sigaction(SIGFPE, &sa, NULL);
}

/* An x87 exception that has happened is reported by the next instruction. */
TEST_F(alone, x87_exception_to_come)
{
	fpu_init(want_fpu);
	put(want_fpu, 0, 0x037e, 2);
	put(want_fpu, 2, 0x8081, 2);
	put(want_fpu, 512, BIT(XF_FP), 8);
	install = install_fpe;
	self->pid = start(entry_fwait, -1);
	ASSERT_LT(0, self->pid);
	ASSERT_TRUE(kill_and_restart(_metadata, self->pid));
	ASSERT_TRUE(PEEK(self->pid, handled));
	ASSERT_EQ(0, handled);
	ASSERT_TRUE(ends_well(self->pid, &entry));
	EXPECT_EQ(1, handled);
	EXPECT_EQ(FPE_FLTINV, seen.info.si_code);
	EXPECT_EQ(0, check_fpu(_metadata, "frame", seen.fpu, want_fpu));
}

#ifdef __x86_64__
/* As struct compat_sigaction: handler, flags, restorer, mask. */
static unsigned int sigaction32[5];

/*
 * A 64-bit process with a handler in 32-bit code: it has set it by a 32-bit
 * call, and so gets a 32-bit frame, on a stack below 4 GiB.
 */
static void install_usr1_32(void)
{
	stack_t ss = { .ss_sp = altstack, .ss_size = sizeof(altstack) };

	sigaltstack(&ss, NULL);
	sigaction32[0] = (long)handler32;
	sigaction32[1] = SA_SIGINFO | SA_ONSTACK | 0x04000000;
	sigaction32[2] = (long)restorer32;
	asm volatile("int $0x80"
		     :: "a" (NR32_SIGACTION), "b" (SIGUSR1), "c" (sigaction32),
			"d" (0), "S" (8)
		     : "memory", "r8", "r9", "r10", "r11");
}

TEST_F(alone, handler_in_32_bit_mode)
{
	static const unsigned char sc[] = { 11, 8, 10, 9, 5, 4, 6, 17 };
	unsigned int uc, ctx[24];
	int i;

	other_mode();
	install = install_usr1_32;
	self->pid = start(entry_other_mode, -1);
	ASSERT_LT(0, self->pid);
	ASSERT_TRUE(kill_and_restart(_metadata, self->pid));
	ASSERT_EQ(0, kill(self->pid, SIGUSR1));
	ASSERT_TRUE(wait_for(self->pid, &in_handler.reached));
	/* And once more inside. */
	ASSERT_TRUE(kill_and_restart(_metadata, self->pid));
	ASSERT_TRUE(PEEK(self->pid, handler32_cs) &&
		    PEEK(self->pid, handler32_frame));
	EXPECT_EQ(CS_32, handler32_cs);
	/* Return address, signal, siginfo, ucontext; there the registers. */
	ASSERT_TRUE(peek(self->pid, &uc, (void *)(handler32_frame + 12UL), 4));
	ASSERT_TRUE(peek(self->pid, ctx, (void *)(uc + 20UL), sizeof(ctx)));
	for (i = AX; i <= SP; i++)
		EXPECT_EQ((unsigned int)want[i], ctx[sc[i]])
			TH_LOG("frame: %s", reg_name[i]);
	ASSERT_TRUE(release(self->pid, &in_handler));
	ASSERT_TRUE(ends_well(self->pid, &entry));
	/* A 32-bit frame has no r8 to r15: they stay as they are. */
	EXPECT_EQ(0, check_regs(_metadata, "after the handler", got,
				GENERAL | BIT(FLAGS) | BIT(CS),
				0xffffffff));
	EXPECT_EQ(0, check_fpu(_metadata, "after the handler", got_fpu,
			       want_fpu));
}
#endif

/* ---- refusals ------------------------------------------------------- */

/* What @in_program or @outside does keeps @pid from being saved. */
FIXTURE(refused)
{
	pid_t pid;
};

FIXTURE_VARIANT(refused)
{
	const char *why;
	void (*in_program)(void);
	bool (*outside)(pid_t pid);
};

FIXTURE_SETUP(refused)
{
	set_up();
	install = variant->in_program;
}

FIXTURE_TEARDOWN(refused)
{
	ckpt_kill(self->pid);
	unlink(CKPT_IMG);
}

static void must(bool ok)
{
	if (!ok)
		_exit(2);
}

static void do_ioperm(void)
{
	must(!ioperm(0x80, 1, 1));
}

static void do_iopl(void)
{
	must(!iopl(3));
}

static void do_modify_ldt(void)
{
	struct user_desc desc = { .limit = 1, .seg_32bit = 1 };

	must(!syscall(__NR_modify_ldt, 1, &desc, sizeof(desc)));
}

/* A debugger sets a watchpoint and goes. */
static bool do_debug_register(pid_t pid)
{
	const size_t dr0 = offsetof(struct user, u_debugreg[0]);
	const size_t dr7 = offsetof(struct user, u_debugreg[7]);

	return !ptrace(PTRACE_SEIZE, pid, 0, 0) &&
	       !ptrace(PTRACE_INTERRUPT, pid, 0, 0) &&
	       waitpid(pid, NULL, 0) == pid &&
	       !ptrace(PTRACE_POKEUSER, pid, dr0, &traps) &&
	       !ptrace(PTRACE_POKEUSER, pid, dr7, 0xd0001) &&
	       !ptrace(PTRACE_DETACH, pid, 0, 0);
}

static bool do_perf_breakpoint(pid_t pid)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_BREAKPOINT,
		.size = sizeof(attr),
		.bp_type = HW_BREAKPOINT_W,
		.bp_addr = (unsigned long)&traps,
		.bp_len = HW_BREAKPOINT_LEN_4,
		.exclude_kernel = 1,
	};

	return syscall(SYS_perf_event_open, &attr, pid, -1, -1, 0) >= 0;
}

#define ADD_REFUSED(name, text, ...) \
	FIXTURE_VARIANT_ADD(refused, name) { .why = text, __VA_ARGS__ }
#define ADD_X86(name, text, ...) \
	ADD_REFUSED(name, "cannot be saved yet: " text, __VA_ARGS__)

ADD_X86(ioperm, "I/O port permissions (ioperm, iopl)",
	.in_program = do_ioperm);
ADD_X86(iopl, "I/O port permissions (ioperm, iopl)", .in_program = do_iopl);
ADD_X86(ldt, "local descriptor table (modify_ldt)",
	.in_program = do_modify_ldt);
ADD_X86(debug_register, "hardware breakpoints", .outside = do_debug_register);
ADD_REFUSED(perf_breakpoint, "has performance events",
	    .outside = do_perf_breakpoint);

TEST_F(refused, goes_on)
{
	self->pid = start(entry_spin, -1);
	ASSERT_LT(0, self->pid);
	/* Its registers alone are no reason. */
	if (variant->outside) {
		ASSERT_LT(0, ckpt_save(self->pid, CKPT_IMG, 0));
		ASSERT_TRUE(variant->outside(self->pid));
	}
	ckpt_expect_refused(_metadata, self->pid, EOPNOTSUPP);
	EXPECT_TRUE(!!strstr(ckpt_log_text, variant->why))
		TH_LOG("%s", ckpt_log_text);

	ASSERT_TRUE(ends_well(self->pid, &entry));
	EXPECT_EQ(0, check_regs(_metadata, "registers", got,
				GENERAL | BIT(FLAGS) | SELECTORS, ~0UL));
	EXPECT_EQ(0, check_fpu(_metadata, "FPU", got_fpu, want_fpu));
}

TEST_HARNESS_MAIN
