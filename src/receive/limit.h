/* limit.h - what the doors for pushed telemetry let in: the numbers, and the check of times.
 *
 * Limits on labels are applied where labels are looked at anyway, in the decoders (decode/limits.h); the body
 * and memory ceilings where bodies are unpacked (ingest.c). Times are checked here, on the rows. */
#pragma once
#include "decode/limits.h"
#include "model/batch.h"

struct limit {
    int64_t
        future_ms; /* how far ahead of our clock a row may be; beyond, one bad clock would spoil the store */
    size_t body_bytes;   /* of one unpacked body */
    size_t memory_bytes; /* for decoding one request */
    struct decode_limits decode;
};

#define LIMIT_DEFAULT                                                                                        \
    {                                                                                                        \
        .future_ms = 10 * 60 * 1000, .body_bytes = 64u << 20, .memory_bytes = 256u << 20,                    \
        .decode = DECODE_LIMITS_DEFAULT                                                                      \
    }

/* Takes rows and exemplars out of b whose time is beyond now_ms + future_ms, or before 1970, and series that
 * have lost all of theirs; counts them in *refused. The batch stays well formed. */
void limit_times(struct batch *b, const struct limit *, int64_t now_ms, struct write_result *refused);
