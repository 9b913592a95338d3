/* A Cortex-M4F on Arm's board MPS2 (AN386): start-up, and a console through the debugger (semihosting). */
#include <stdint.h>

#include "board.h"

int main(void);

/* Where the linker (mps2.ld) has put things. */
extern uint32_t flash_begin[], flash_end[], data_load[], data_begin[], data_end[], bss_begin[], bss_end[],
    stack_begin[], stack_end[];

enum { kWrite0 = 0x04, kExitExtended = 0x20, kApplicationExit = 0x20026, kPaint = 0x5a5a5a5a };

static void ask_debugger(int operation, const void* argument) {
  register int r0 __asm__("r0") = operation;
  register const void* r1 __asm__("r1") = argument;
  __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
}

void board_print(const char* text) { ask_debugger(kWrite0, text); }

static void print_bytes(const char* what, const uint32_t* begin, const uint32_t* end) {
  char digits[11];
  char* at = digits + sizeof digits;
  uint32_t n = (uint32_t)((uintptr_t)end - (uintptr_t)begin);
  *--at = '\0';
  do *--at = (char)('0' + n % 10);
  while (n /= 10);
  board_print(what);
  board_print(at);
  board_print(" bytes");
}

static void leave(int code) {
  const uint32_t block[2] = {kApplicationExit, (uint32_t)code};
  ask_debugger(kExitExtended, block);
  for (;;) {
  }
}

/* Runs first; the stack pointer is set. */
void board_start(void) {
  volatile uint32_t* const access = (volatile uint32_t*)0xe000ed88; /* of coprocessors */
  uint32_t *to, *deepest;
  const uint32_t* from = data_load;
  int code;
  *access |= 0xfu << 20; /* the floating-point unit may be used */
  __asm__ volatile("dsb\n isb" ::: "memory");
  for (to = data_begin; to < data_end; ++to) *to = *from++;
  for (to = bss_begin; to < bss_end; ++to) *(volatile uint32_t*)to = 0;
  /* What is below here is unused as yet, and of this colour until it is used. */
  for (to = stack_begin; to < (uint32_t*)__builtin_frame_address(0) - 32; ++to)
    *(volatile uint32_t*)to = kPaint;

  code = main();
  for (deepest = stack_begin; *deepest == kPaint;) ++deepest;
  print_bytes("flash ", flash_begin, flash_end);
  print_bytes(", RAM ", data_begin, bss_end);
  print_bytes(", stack ", deepest, stack_end);
  board_print("\n");
  leave(code);
}

static void fault(void) {
  board_print("fault\n");
  leave(1);
}

/* The vector table: the first stack pointer, the reset, and the faults. */
__attribute__((section(".vectors"), used)) static const void* const vectors[] = {
    stack_end,          (const void*)board_start, (const void*)fault, (const void*)fault,
    (const void*)fault, (const void*)fault,       (const void*)fault};
