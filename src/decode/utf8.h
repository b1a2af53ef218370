/* utf8.h - text that is not quite UTF-8, made so. */
#pragma once
#include "base/arena.h"

/* Where to cut t so that at most n bytes are left and no character is torn apart. */
size_t utf8_floor(struct str t, size_t n);

/* t itself when it is valid, else a copy with U+FFFD in place of every maximal run of bytes that cannot be
 * a character (as Unicode recommends, chapter 3.9). */
struct str utf8_repaired(struct str t, struct arena *);

/* The character v (at most U+10FFFF) as 1 to 4 bytes. */
size_t utf8_put(char *to, uint32_t v);
