/* A chunk of packed records of any bytes: refused, or read to the end with every getter, and packed again
 * without loss. */
#include <stdint.h>
#include <string.h>

#include "base/check.h"
#include "model/predicate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void touch(struct str s)
{
    static volatile unsigned char sum;
    for (size_t i = 0; i < s.n; i++) sum = (unsigned char)(sum + (unsigned char)s.p[i]);
}

static void touch_value(struct value v)
{
    check(v.type < VALUE_TYPES);
    if (v.type == VALUE_STR || v.type == VALUE_BYTES || v.type == VALUE_JSON) touch(v.text);
    if (v.type == VALUE_BOOL) check(v.i == 0 || v.i == 1);
}

static void touch_attrs(const struct attrs *a)
{
    check(a->n <= RECORD_ATTRS_MAX);
    for (size_t i = 0; i < a->n; i++) {
        touch(a->at[i].name);
        check(a->at[i].value.type != VALUE_NONE);
        touch_value(a->at[i].value);
    }
}

/* Names are unique: the first of a name is the one that is found. */
static void check_lookup(const struct record *r, enum table t)
{
    for (size_t i = 0; i < r->attrs.n && i < 20; i++) {
        struct value v = record_value(r, t, field_attr(FIELD_ATTR, r->attrs.at[i].name));
        check(value_same(v, r->attrs.at[i].value));
    }
    for (int i = 0; i < INTRINSIC_END; i++) touch_value(record_value(r, t, field_in((enum intrinsic)i)));
}

static void check_again(const struct records *packed, size_t n, const struct record *want)
{
    struct arena a = ARENA_INIT(SIZE_MAX);
    struct record_reader again;
    struct record r;
    size_t i = 0;
    for (size_t c = 0; c < packed->n_chunks; c++) {
        check(record_chunk_open(&again, packed->chunks[c].bytes, &a, NULL) == OK);
        for (size_t k = 0; k < again.n; k++, i++) {
            record_chunk_get(&again, k, &a, &r);
            check(i < n && r.time_ns == want[i].time_ns && r.attrs.n == want[i].attrs.n);
            for (size_t x = 0; x < r.attrs.n; x++)
                check(str_eq(r.attrs.at[x].name, want[i].attrs.at[x].name) &&
                      value_same(r.attrs.at[x].value, want[i].attrs.at[x].value));
        }
    }
    check(i == n);
    arena_release(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a = ARENA_INIT(SIZE_MAX);
    struct record_reader reader;
    struct err e = ERR_INIT;
    int rc = record_chunk_open(&reader, str_make(data, size), &a, &e);
    check(rc == OK || (rc == ERR_CORRUPT && e.text[0] != 0));

    if (rc == OK) {
        struct records packed;
        struct record *all = arena_array(&a, reader.n, sizeof *all), head;
        records_init(&packed, &a, reader.table);
        for (size_t i = 0; i < reader.n; i++) {
            record_chunk_get(&reader, i, &a, &all[i]);
            record_chunk_head(&reader, i, &head);
            check(head.time_ns == all[i].time_ns && head.origin == all[i].origin);
            touch_attrs(&all[i].attrs);
            touch_attrs(&all[i].origin->resource);
            touch_attrs(&all[i].origin->scope);
            check_lookup(&all[i], reader.table);
            records_origin(&packed, all[i].origin);
            check(records_add(&packed, &all[i], &e) == OK);
        }
        records_end(&packed);
        check_again(&packed, reader.n, all);
    }
    arena_release(&a);
    return 0;
}
