/* SPDX-License-Identifier: LGPL-2.1 */
/* Attributes by the names that the kernel has for them. */
#ifndef _LIBCHECKPOINT_COMPILER_H
#define _LIBCHECKPOINT_COMPILER_H

#define __aligned(x)	__attribute__((__aligned__(x)))
#define __noreturn	__attribute__((__noreturn__))
#define __printf(a, b)	__attribute__((__format__(printf, a, b)))

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

#endif /* _LIBCHECKPOINT_COMPILER_H */
