/* The host as a board: what starts a program on Linux, and two system calls. No C library. */
#include "board.h"

#include <stddef.h>

int main(void);

#if defined(__x86_64__)
enum { kWrite = 1, kExit = 60 };
static long call(long number, long a, long b, long c) {
  long result;
  __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
  return result;
}
/* The stack is aligned here as it is at a call. */
__asm__(".globl _start\n_start: xor %ebp, %ebp\n and $-16, %rsp\n call board_start\n");
#elif defined(__aarch64__)
enum { kWrite = 64, kExit = 93 };
static long call(long number, long a, long b, long c) {
  register long x8 __asm__("x8") = number, x0 __asm__("x0") = a, x1 __asm__("x1") = b, x2 __asm__("x2") = c;
  __asm__ volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2) : "memory");
  return x0;
}
__asm__(".globl _start\n_start: b board_start\n");
#endif

void board_start(void) {
  call(kExit, main(), 0, 0);
  __builtin_unreachable();
}

void board_print(const char* text) {
  size_t length = 0;
  while (text[length]) ++length;
  call(kWrite, 1, (long)text, (long)length);
}
