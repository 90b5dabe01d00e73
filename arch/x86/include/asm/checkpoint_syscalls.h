/* SPDX-License-Identifier: GPL-2.0 */
/*
 * System calls that go on after a checkpoint with the arguments that stand in
 * the registers.
 */
#ifndef _ASM_X86_CHECKPOINT_SYSCALLS_H
#define _ASM_X86_CHECKPOINT_SYSCALLS_H

#include <linux/types.h>
#include <asm/ptrace.h>
#include <asm/syscall.h>
#include <linux/thread_info.h>
#include <asm/unistd.h>
#ifdef CONFIG_IA32_EMULATION
#include <asm/unistd_32_ia32.h>
#endif

static inline bool ckpt_x64_call_restarts(int nr)
{
	switch (nr) {
	case __NR_read:
	case __NR_readv:
	case __NR_preadv2:
	case __NR_write:
	case __NR_writev:
	case __NR_pwritev2:
	case __NR_sendfile:
	case __NR_splice:
	case __NR_connect:
	case __NR_accept:
	case __NR_accept4:
	case __NR_recvfrom:
	case __NR_recvmsg:
	case __NR_recvmmsg:
	case __NR_sendto:
	case __NR_sendmsg:
	case __NR_sendmmsg:
	case __NR_select:
	case __NR_pselect6:
	case __NR_ppoll:
	case __NR_epoll_wait:
	case __NR_epoll_pwait:
	case __NR_epoll_pwait2:
	case __NR_rt_sigtimedwait:
	case __NR_semtimedop:
	case __NR_io_getevents:
	case __NR_io_pgetevents:
		return true;
	default:
		return false;
	}
}

#ifdef CONFIG_IA32_EMULATION
static inline bool ckpt_ia32_call_restarts(int nr)
{
	switch (nr) {
	case __NR_ia32_read:
	case __NR_ia32_readv:
	case __NR_ia32_preadv2:
	case __NR_ia32_write:
	case __NR_ia32_writev:
	case __NR_ia32_pwritev2:
	case __NR_ia32_sendfile:
	case __NR_ia32_sendfile64:
	case __NR_ia32_splice:
	case __NR_ia32_socketcall:
	case __NR_ia32_connect:
	case __NR_ia32_accept4:
	case __NR_ia32_recvfrom:
	case __NR_ia32_recvmsg:
	case __NR_ia32_recvmmsg:
	case __NR_ia32_recvmmsg_time64:
	case __NR_ia32_sendto:
	case __NR_ia32_sendmsg:
	case __NR_ia32_sendmmsg:
	case __NR_ia32_select:
	case __NR_ia32__newselect:
	case __NR_ia32_pselect6:
	case __NR_ia32_pselect6_time64:
	case __NR_ia32_ppoll:
	case __NR_ia32_ppoll_time64:
	case __NR_ia32_epoll_wait:
	case __NR_ia32_epoll_pwait:
	case __NR_ia32_epoll_pwait2:
	case __NR_ia32_rt_sigtimedwait:
	case __NR_ia32_rt_sigtimedwait_time64:
	case __NR_ia32_ipc:
	case __NR_ia32_semtimedop_time64:
	case __NR_ia32_io_getevents:
	case __NR_ia32_io_pgetevents:
	case __NR_ia32_io_pgetevents_time64:
		return true;
	default:
		return false;
	}
}
#else
static inline bool ckpt_ia32_call_restarts(int nr)
{
	return false;
}
#endif

/**
 * arch_ckpt_call_restarts - may a freeze make this call be made again?
 * @nr: number of the call
 * @compat: in the table of 32-bit calls
 *
 * x32 calls never; no task of that kind is saved.
 *
 * Return: true for the calls that ask ckpt_interrupted() with a deadline.
 */
static inline bool arch_ckpt_call_restarts(int nr, bool compat)
{
	return compat ? ckpt_ia32_call_restarts(nr) :
			ckpt_x64_call_restarts(nr);
}

/* Was the interrupted call one of the 32-bit table? */
static inline bool arch_ckpt_restart_compat(const struct restart_block *restart)
{
	return IS_ENABLED(CONFIG_IA32_EMULATION) &&
	       (restart->arch_data & TS_COMPAT);
}

/* Makes the call @nr of the kind that current has entered the kernel by. */
static inline long arch_ckpt_call(const struct pt_regs *regs, int nr)
{
	if (in_ia32_syscall())
		return ia32_sys_call(regs, nr);
	return x64_sys_call(regs, nr);
}

/* Has the registers show the call @nr, as if the program had made it. */
static inline void arch_ckpt_set_nr(struct pt_regs *regs, int nr)
{
	regs->orig_ax = nr;
}

#endif /* _ASM_X86_CHECKPOINT_SYSCALLS_H */
