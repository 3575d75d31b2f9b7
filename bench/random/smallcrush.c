/* SmallCrush of TestU01 on the 32-bit words of stdin: a line for each of its p-values. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <testu01/bbattery.h>
#include <testu01/swrite.h>
#include <testu01/unif01.h>

static unsigned int next(void) {
  static uint32_t words[16384];
  static size_t used = 0, held = 0;
  if (used == held) {
    held = fread(words, 4, 16384, stdin);
    used = 0;
    if (held == 0) exit(1);
  }
  return words[used++];
}

int main(void) {
  swrite_Basic = 0;
  bbattery_SmallCrush(unif01_CreateExternGenBits("stdin", next));
  for (int i = 0; i < bbattery_NTests; i++)
    printf("p-value|%s|%.17g\n", bbattery_TestNames[i], bbattery_pVal[i]);
  return 0;
}
