/* otlp_value.h - attribute values as the text of a label: as they are, or as JSON when they hold other
 * values. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/str.h"

#define OTLP_VALUE_DEPTH_MAX 16 /* arrays and lists within one another */
#define OTLP_VALUE_JSON_MAX                                                                                  \
    (256u << 10) /* bytes of JSON one value may become; longer than any label may be */

struct str otlp_bool_text(bool v);
struct str otlp_int_text(int64_t v, struct arena *);
struct str otlp_double_text(double v, struct arena *);
struct str otlp_base64(struct str bytes, struct arena *);

/* An id of a trace or span as lower-case hex; empty when its bytes are none or all zero. */
struct str otlp_id_hex(struct str bytes, struct arena *);
/* From hex of any case; false when a character is not hex or the length is not one of an id (16 or 32). */
bool otlp_id_from_hex(struct str hex, struct arena *, struct str *out);
