/* prom_json.c - see prom_json.h. */
#include "tell/prom_json.h"

#include <math.h>

#include "base/check.h"
#include "base/float.h"
#include "base/json.h"
#include "query/promql/histogram_ops.h"

/* ---- numbers ---- */

static const char pairs[] =
    "00010203040506070809101112131415161718192021222324252627282930313233343536373839404142434445464748"
    "4950515253545556575859606162636465666768697071727374757677787980818283848586878889909192939495969798"
    "99";

/* Two digits at a time, from the end. */
static size_t u64_text(uint64_t v, char *out)
{
    char text[20];
    size_t at = sizeof text;

    while (v >= 100) {
        at -= 2;
        memcpy(text + at, pairs + v % 100 * 2, 2);
        v /= 100;
    }
    if (v >= 10) {
        at -= 2;
        memcpy(text + at, pairs + v * 2, 2);
    } else {
        text[--at] = (char)('0' + v);
    }
    memcpy(out, text + at, sizeof text - at);
    return sizeof text - at;
}

size_t prom_time_text(int64_t ms, char out[32])
{
    uint64_t u = ms < 0 ? 0 - (uint64_t)ms : (uint64_t)ms;
    unsigned rest = (unsigned)(u % 1000);
    size_t n = 0;

    if (ms < 0) out[n++] = '-';
    n += u64_text(u / 1000, out + n);
    if (rest == 0) return n;
    out[n++] = '.';
    out[n++] = (char)('0' + rest / 100);
    memcpy(out + n, pairs + rest % 100 * 2, 2);
    return n + 2;
}

size_t prom_value_text(double v, char out[PROM_VALUE_MAX])
{
    double a = fabs(v);

    if (a < 1e15 && a == floor(a) && !(v == 0 && signbit(v))) { /* counters, mostly */
        size_t n = 0;
        if (v < 0) out[n++] = '-';
        return n + u64_text((uint64_t)a, out + n);
    }
    if (v != 0 && (a < 1e-6 || a >= 1e21)) return float_text(v, out);
    return float_text_plain(v, out, PROM_VALUE_MAX);
}

void prom_put_time(struct buf *out, int64_t ms)
{
    char *p = buf_room(out, 32);
    if (p) buf_added(out, prom_time_text(ms, p));
}

void prom_put_value(struct buf *out, double v)
{
    char *p = buf_room(out, PROM_VALUE_MAX + 2);
    if (!p) return;
    p[0] = '"';
    size_t n = prom_value_text(v, p + 1);
    p[n + 1] = '"';
    buf_added(out, n + 2);
}

size_t prom_point_text(int64_t ms, double v, char out[PROM_POINT_MAX])
{
    char *p = out;
    *p++ = '[';
    p += prom_time_text(ms, p);
    *p++ = ',';
    *p++ = '"';
    p += prom_value_text(v, p);
    *p++ = '"';
    *p++ = ']';
    return (size_t)(p - out);
}

void prom_put_point(struct buf *out, int64_t ms, double v)
{
    char *p = buf_room(out, PROM_POINT_MAX);
    if (p) buf_added(out, prom_point_text(ms, v, p));
}

/* ---- labels ---- */

void prom_put_labels(struct buf *out, struct labels l)
{
    buf_char(out, '{');
    for (size_t i = 0; i < l.n; i++) {
        if (i > 0) buf_char(out, ',');
        json_escape(out, l.at[i].name);
        buf_char(out, ':');
        json_escape(out, l.at[i].value);
    }
    buf_char(out, '}');
}

/* ---- histograms ---- */

/* Which ends belong to the bucket, as the API counts: the upper, the lower, none, both. */
enum { ENDS_UPPER, ENDS_LOWER, ENDS_NONE, ENDS_BOTH };

static void put_bucket(struct buf *out, bool *any, int ends, double lower, double upper, double count)
{
    if (count == 0) return;
    buf_cs(out, *any ? ",[" : ",\"buckets\":[[");
    *any = true;
    buf_char(out, (char)('0' + ends));
    buf_char(out, ',');
    prom_put_value(out, lower);
    buf_char(out, ',');
    prom_put_value(out, upper);
    buf_char(out, ',');
    prom_put_value(out, count);
    buf_char(out, ']');
}

/* Bucket `index` of one side, by the distance of its bounds from zero. What the zero bucket covers is cut
 * off. */
static void put_exponential(struct buf *out, bool *any, const struct histogram *h, int32_t index,
                            double count, bool negative)
{
    double near = hist_bound(index - 1, h->schema), far = hist_bound(index, h->schema);

    if (near < h->zero_threshold) near = h->zero_threshold;
    if (negative)
        put_bucket(out, any, ENDS_LOWER, -far, -near, count);
    else
        put_bucket(out, any, ENDS_UPPER, near, far, count);
}

static void put_custom(struct buf *out, bool *any, const struct histogram *h, int32_t index, double count)
{
    int64_t n = h->n_custom;
    if (index < 0 || index > n) return;
    double lower = index == 0 ? -INFINITY : h->custom[index - 1];
    double upper = index == n ? INFINITY : h->custom[index];
    put_bucket(out, any, index == 0 ? ENDS_BOTH : ENDS_UPPER, lower, upper, count);
}

static void put_positive(struct buf *out, bool *any, const struct histogram *h)
{
    int32_t index = 0;
    uint32_t at = 0;

    for (uint32_t s = 0; s < h->n_pos_spans; s++) {
        index += h->pos_spans[s].offset;
        for (uint32_t k = 0; k < h->pos_spans[s].length && at < h->n_pos; k++, index++, at++) {
            if (h->schema == HISTOGRAM_CUSTOM)
                put_custom(out, any, h, index, h->pos[at]);
            else
                put_exponential(out, any, h, index, h->pos[at], false);
        }
    }
}

/* From the far end towards zero: rising values. */
static void put_negative(struct buf *out, bool *any, const struct histogram *h)
{
    int64_t index = 0;
    uint32_t at = h->n_neg;

    for (uint32_t s = 0; s < h->n_neg_spans; s++)
        index += (int64_t)h->neg_spans[s].offset + h->neg_spans[s].length;
    for (uint32_t s = h->n_neg_spans; s-- > 0;) {
        for (uint32_t k = 0; k < h->neg_spans[s].length && at > 0; k++)
            put_exponential(out, any, h, (int32_t)--index, h->neg[--at], true);
        index -= h->neg_spans[s].offset;
    }
}

void prom_put_histogram(struct buf *out, const struct histogram *h)
{
    bool any = false;

    buf_cs(out, "{\"count\":");
    prom_put_value(out, h->count);
    buf_cs(out, ",\"sum\":");
    prom_put_value(out, h->sum);
    if (h->schema != HISTOGRAM_CUSTOM) {
        put_negative(out, &any, h);
        if (h->zero_count > 0) /* a negative one, or NaN, is not shown: so Prometheus does */
            put_bucket(out, &any, ENDS_BOTH, -h->zero_threshold, h->zero_threshold, h->zero_count);
    }
    put_positive(out, &any, h);
    buf_cs(out, any ? "]}" : "}");
}

/* ---- dates ---- */

void prom_put_rfc3339(struct buf *out, int64_t ms)
{
    int64_t days = ms / 86400000, rest = ms % 86400000;
    if (rest < 0) rest += 86400000, days--;

    /* Civil date from days since 1970, in eras of 400 years counted from March. */
    int64_t z = days + 719468, era = (z >= 0 ? z : z - 146096) / 146097;
    int64_t doe = z - era * 146097, yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
    int64_t day = doy - (153 * mp + 2) / 5 + 1, month = mp < 10 ? mp + 3 : mp - 9,
            year = yoe + era * 400 + (month <= 2);

    buf_printf(out, "\"%04lld-%02d-%02dT%02d:%02d:%02d", (long long)year, (int)month, (int)day,
               (int)(rest / 3600000), (int)(rest / 60000 % 60), (int)(rest / 1000 % 60));
    if (rest % 1000) buf_printf(out, ".%03d", (int)(rest % 1000));
    buf_cs(out, "Z\"");
}
