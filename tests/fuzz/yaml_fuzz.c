/* yaml_fuzz.c - any bytes: an error, or a tree that can be walked and read by every typed call. */
#include "base/check.h"
#include "base/yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t walk(struct yaml *y, int depth)
{
    struct str s;
    bool b;
    int64_t i;
    double d;
    uint64_t u;
    struct err e;
    size_t n = 1;

    check(depth <= 64 && y->line >= 1);
    yaml_str(y, &s, &e);
    yaml_bool(y, &b, &e);
    yaml_i64(y, &i, &e);
    yaml_double(y, &d, &e);
    yaml_duration_ms(y, &i, &e);
    yaml_bytes(y, &u, &e);
    for (size_t k = 0; k < y->n; k++) n += walk(yaml_only(y, k), depth + 1);
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a = ARENA_INIT(64 << 20);
    struct yaml *y;
    struct err e = ERR_INIT;

    int rc = yaml_parse(str_make(data, size), "fuzz.yml", &a, &y, &e);
    if (rc < 0) {
        check(e.code == rc && e.text[0] != 0);
    } else {
        yaml_unknown(y, "fuzz.yml", &e);
        check(walk(y, 1) <= 200000); /* nodes and what aliases stand for, both bounded */
        check(yaml_unknown(y, "fuzz.yml", &e) == OK);
    }
    arena_release(&a);
    return 0;
}
