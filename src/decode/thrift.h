/* thrift.h - reading Thrift's binary and compact protocols in place: a cursor over borrowed bytes, after the
 * manner of protobuf.h. Errors are sticky; places are counted from the start of the bytes.
 *
 *     struct thrift_field f;
 *     thrift_struct(&t);
 *     while (thrift_next(&t, &f)) {
 *         if (f.id == 1 && f.type == THRIFT_STRING) thrift_bytes(&t, &name);
 *         else thrift_skip(&t, f.type);
 *     }
 *
 * Refused: lengths that pass the end, lists longer than the bytes left, nesting deeper than THRIFT_DEPTH_MAX.
 */
#pragma once
#include "base/err.h"
#include "base/str.h"

#define THRIFT_DEPTH_MAX 32

enum thrift_type { /* as the binary protocol numbers them */
                   THRIFT_STOP = 0,
                   THRIFT_BOOL = 2,
                   THRIFT_BYTE = 3,
                   THRIFT_DOUBLE = 4,
                   THRIFT_I16 = 6,
                   THRIFT_I32 = 8,
                   THRIFT_I64 = 10,
                   THRIFT_STRING = 11,
                   THRIFT_STRUCT = 12,
                   THRIFT_MAP = 13,
                   THRIFT_SET = 14,
                   THRIFT_LIST = 15
};

struct thrift {
    const uint8_t *p, *end, *begin;
    const char *why; /* NULL while all is well */
    const uint8_t *why_at;
    bool compact;
    bool truth; /* compact: the value of the boolean field just begun */
    int depth;
    int16_t last[THRIFT_DEPTH_MAX]; /* compact: the field read last, of each struct we are in */
};

struct thrift_field {
    enum thrift_type type;
    int16_t id;
};

struct thrift thrift_open(struct str bytes, bool compact);
bool thrift_fail(struct thrift *, const char *why);                 /* always false */
int thrift_error(const struct thrift *, struct err *);              /* ERR_PARSE, "byte 17: ..." */
bool thrift_struct(struct thrift *);                                /* enter; then thrift_next until false */
bool thrift_next(struct thrift *, struct thrift_field *);           /* false: the struct has ended */
bool thrift_list(struct thrift *, enum thrift_type *, uint32_t *n); /* lists and sets; then n values */
bool thrift_bytes(struct thrift *, struct str *);
bool thrift_int(struct thrift *, enum thrift_type, int64_t *); /* BYTE to I64 */
bool thrift_double(struct thrift *, double *);
bool thrift_bool(struct thrift *, bool *); /* of a field */
bool thrift_skip(struct thrift *, enum thrift_type);
