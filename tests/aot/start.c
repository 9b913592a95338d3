/* A program without a C library: runs the self-test of the library amp and exits with its line, modulo 256. */
#include <stddef.h>

int amp_selftest(void);

/* What C compilers take for granted; the library itself needs neither. */
void* memset(void* to, int value, size_t count) {
  volatile unsigned char* bytes = to;
  while (count--) *bytes++ = (unsigned char)value;
  return to;
}
void* memcpy(void* to, const void* from, size_t count) {
  volatile unsigned char* bytes = to;
  const unsigned char* source = from;
  while (count--) *bytes++ = *source++;
  return to;
}

static void leave(long code) {
#if defined(__x86_64__)
  __asm__ volatile("syscall" : : "a"(60L), "D"(code));
#elif defined(__aarch64__)
  register long x0 __asm__("x0") = code, x8 __asm__("x8") = 93;
  __asm__ volatile("svc #0" : : "r"(x0), "r"(x8));
#elif defined(__arm__)
  register long r0 __asm__("r0") = code, r7 __asm__("r7") = 1;
  __asm__ volatile("svc #0" : : "r"(r0), "r"(r7));
#elif defined(__riscv)
  register long a0 __asm__("a0") = code, a7 __asm__("a7") = 93;
  __asm__ volatile("ecall" : : "r"(a0), "r"(a7));
#endif
  for (;;) {
  }
}

void start(void) { leave(amp_selftest()); }

/* The stack is aligned here as each ABI has it at a call. */
#if defined(__x86_64__)
__asm__(".globl _start\n_start: xor %ebp, %ebp\n and $-16, %rsp\n call start\n");
#else
void _start(void) { start(); }
#endif
