/* What the firmware needs of the machine it runs on, which starts `main`. */
#ifndef BOARD_H
#define BOARD_H

void board_print(const char* text);

#endif
