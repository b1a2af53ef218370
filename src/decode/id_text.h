/* id_text.h - ids of traces and spans as senders write them. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

/* Fills n bytes (16 or 8) from 2n hex digits of any case, with 0x before them or the dashes of a UUID between
 * them; from n of them, zeros in front (trace ids of 64 bits); or from base64 of exactly n bytes, standard or
 * URL-safe, padded or not. False when it is none of these. All zeros is true here: whether that is an id is
 * the caller's rule. */
bool id_from_text(struct str text, size_t n, uint8_t *out);

/* From 1 to 2n hex digits, zeros in front: Zipkin and Jaeger leave them out. */
bool id_from_hex(struct str text, size_t n, uint8_t *out);
