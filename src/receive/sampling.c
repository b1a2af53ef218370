#include "receive/sampling.h"

#include <string.h>

#include "base/check.h"

#define THRESHOLD_DIGITS 14 /* of 56 bits */
#define RANDOM_BITS      56
#define FLAG_RANDOM      0x02 /* W3C: the last 56 bits of the trace id are random */
#define WAIT_MIN_MS      1000
#define WAIT_MAX_MS      (24 * 3600 * 1000)
#define ONE_IN_MAX       1000000

/* ---- what the sender has done ---- */

/* The value of `name` in the member `ot` of a trace state: "a=b,ot=th:8;rv:..." */
static struct str ot_value(struct str state, const char *name)
{
    while (state.n > 0) {
        struct str pairs, member = str_trim(str_cut(state, ',', &state));
        if (!str_is(str_cut(member, '=', &pairs), "ot")) continue;
        while (pairs.n > 0) {
            struct str value, key = str_cut(str_cut(pairs, ';', &pairs), ':', &value);
            if (str_is(key, name)) return value;
        }
    }
    return STR("");
}

/* Up to 14 hex digits, the missing ones at the end are 0. */
static bool read_56_bits(struct str hex, uint64_t *out)
{
    uint64_t v = 0;
    if (hex.n == 0 || hex.n > THRESHOLD_DIGITS) return false;
    for (size_t i = 0; i < THRESHOLD_DIGITS; i++) {
        char c = i < hex.n ? hex.p[i] : '0';
        if (c >= '0' && c <= '9')
            v = v << 4 | (uint64_t)(c - '0');
        else if (c >= 'a' && c <= 'f')
            v = v << 4 | (uint64_t)(c - 'a' + 10);
        else
            return false;
    }
    *out = v;
    return true;
}

double sampling_adjusted_count(struct str trace_state)
{
    uint64_t threshold;
    if (!read_56_bits(ot_value(trace_state, "th"), &threshold)) return 1;
    const double all = (double)(1ull << RANDOM_BITS);
    return all / (all - (double)threshold);
}

/* ---- what we do ---- */

/* The bits that a sender which samples by OpenTelemetry's rules has looked at; of others' ids, which may not
 * be random there, a hash. */
static uint64_t randomness(const struct record *r, bool sender_samples)
{
    uint64_t v = 0;
    if (read_56_bits(ot_value(r->span.trace_state, "rv"), &v)) return v;
    if (!sender_samples && !(r->flags & FLAG_RANDOM))
        return hash64(r->trace_id, sizeof r->trace_id) >> (64 - RANDOM_BITS);
    for (size_t i = 9; i < 16; i++) v = v << 8 | r->trace_id[i];
    return v;
}

static bool is_one_in(const struct sampling *s, const struct record *r, bool sender_samples)
{
    if (s->one_in <= 1) return s->one_in == 1;
    uint64_t rejected = (1ull << RANDOM_BITS) - (1ull << RANDOM_BITS) / s->one_in;
    return randomness(r, sender_samples) >= rejected;
}

static const char *kept_by(const struct sampling *s, const struct record *r, bool sender_samples)
{
    const int status_error = 2;
    if (s->keep_errors && r->span.status == status_error) return "error";
    if (r->span.duration_ns == SPAN_UNFINISHED) return "running";
    if (s->slower_than_ns > 0 && r->span.duration_ns > s->slower_than_ns) return "slow";
    return is_one_in(s, r, sender_samples) ? "one_in" : "trace";
}

void sampling_mark(const struct sampling *s, struct record *r, struct arena *a)
{
    double count = r->span.trace_state.n > 0 ? sampling_adjusted_count(r->span.trace_state) : 1;
    if (s == NULL && count == 1) return;
    if (r->attrs.n + 3 > RECORD_ATTRS_MAX) return; /* without marks it stays */

    struct attr *at = arena_array(a, r->attrs.n + 3, sizeof *at);
    size_t n = r->attrs.n;
    if (n > 0) memcpy(at, r->attrs.at, n * sizeof *at);
    if (count != 1) at[n++] = (struct attr){ STR(SAMPLING_ADJUSTED), value_double(count) };
    if (s != NULL) {
        const char *why = kept_by(s, r, count != 1);
        at[n++] = (struct attr){ STR(SAMPLING_KEPT_BY), value_str(str_of(why)) };
        if (strcmp(why, "one_in") == 0)
            at[n++] = (struct attr){ STR(SAMPLING_STORED), value_double(MAX(count, (double)s->one_in)) };
    }
    r->attrs = (struct attrs){ at, n };
}

/* ---- configuration ---- */

int sampling_config(struct yaml *section, struct sampling *s, bool *has, struct err *e)
{
    int64_t slower_ms = 0, one_in = 0;
    int rc;
    *has = false;
    *s = (struct sampling){ .keep_errors = true, .wait_ms = 10 * 60 * 1000 };
    if (section == NULL) return OK;
    if (section->kind != YAML_MAP)
        return err_set(e, ERR_PARSE, "line %d: sampling: expected a map", section->line);
    if ((rc = yaml_bool(yaml_get(section, "keep_errors"), &s->keep_errors, e)) < 0) return rc;
    if ((rc = yaml_duration_ms(yaml_get(section, "slower_than"), &slower_ms, e)) < 0) return rc;
    if ((rc = yaml_i64(yaml_get(section, "one_in"), &one_in, e)) < 0) return rc;
    if ((rc = yaml_duration_ms(yaml_get(section, "decision_wait"), &s->wait_ms, e)) < 0) return rc;
    if (one_in < 0 || one_in > ONE_IN_MAX)
        return err_set(e, ERR_RANGE, "line %d: one_in is 0 to %d", section->line, ONE_IN_MAX);
    if (s->wait_ms < WAIT_MIN_MS || s->wait_ms > WAIT_MAX_MS)
        return err_set(e, ERR_RANGE, "line %d: decision_wait is 1s to 24h", section->line);
    if (slower_ms < 0 || slower_ms > INT64_MAX / 1000000)
        return err_set(e, ERR_RANGE, "line %d: slower_than is out of range", section->line);
    s->slower_than_ns = slower_ms * 1000000;
    s->one_in = (uint64_t)one_in;
    *has = true;
    return OK;
}
