/* annotate.c - see annotate.h. The texts are Prometheus' own, because people and tools search for them.
 *
 * A hot loop may say the same thing a million times: it is recognised by a hash before anything is formatted.
 */
#include "query/promql/annotate.h"

#include <stdlib.h>

#include "base/check.h"
#include "base/float.h"
#include "base/hash.h"
#include "query/promql/lex.h"
#include "query/promql/parse.h"

#define DOCS_QUANTILE "https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile"

enum { WARNING, INFO };

/* In a form: %m the metric quoted, %n ` for metric name "x"` or nothing, %t the text, %q the text quoted,
 * %f the number. */
struct note_form {
    int kind;
    const char *form;
};

/* clang-format off: a table */
static const struct note_form forms[] = {
    [NOTE_INVALID_QUANTILE] = { WARNING, "quantile value should be between 0 and 1, got %f" },
    [NOTE_INVALID_RATIO] = { WARNING, "ratio value should be between -1 and 1, got %f, capping to %t" },
    [NOTE_BAD_BUCKET_LABEL] = { WARNING, "bucket label \"le\" is missing or has a malformed value of %q%n" },
    [NOTE_MIXED_FLOATS_HISTOGRAMS] = { WARNING,
                                       "encountered a mix of histograms and floats for metric name %m" },
    [NOTE_MIXED_AGGREGATION] = { WARNING, "encountered a mix of histograms and floats for aggregation" },
    [NOTE_MIXED_CLASSIC_NATIVE] = { WARNING, "vector contains a mix of classic and native histograms%n" },
    [NOTE_NOT_COUNTER] = { WARNING, "this native histogram metric is not a counter: %m" },
    [NOTE_NOT_GAUGE] = { WARNING, "this native histogram metric is not a gauge: %m" },
    [NOTE_MIXED_EXPONENTIAL_CUSTOM] = { WARNING,
                                        "vector contains a mix of histograms with exponential and custom "
                                        "buckets schemas%n" },
    [NOTE_INCOMPATIBLE_BUCKETS] = { WARNING,
                                    "incompatible bucket layout encountered for binary operator %t" },
    [NOTE_RESET_COLLISION] = { WARNING, "conflicting counter resets during histogram %t" },
    [NOTE_SORT_IN_RANGE] = { WARNING, "%t is ineffective for range queries since results are always ordered "
                                      "by labels" },
    [NOTE_START_OVERLAP] = { WARNING, "sample has start time that overlaps with previous sample timestamp "
                                      "for metric %m" },
    [NOTE_POSSIBLE_NON_COUNTER] = { INFO, "metric might not be a counter, name does not end in "
                                          "_total/_sum/_count/_bucket: %m" },
    [NOTE_POSSIBLE_NON_COUNTER_TYPE] = { INFO, "metric might not be a counter, __type__ label is not set to "
                                               "\"counter\" "
                                               "or \"histogram\", got %q: %m" },
    [NOTE_FORCED_MONOTONICITY] = { INFO, "input to %t needed to be fixed for monotonicity (see " DOCS_QUANTILE
                                         ")%n" },
    [NOTE_INCOMPATIBLE_TYPES] = { INFO, "incompatible sample types encountered for binary operator %m: %t" },
    [NOTE_HISTOGRAM_IGNORED] = { INFO, "ignored histogram in %t aggregation" },
    [NOTE_HISTOGRAM_IGNORED_RANGE] = { INFO, "ignored histograms in a range containing both floats and "
                                             "histograms%n" },
    [NOTE_QUANTILE_NAN] = { INFO, "input to %t has NaN observations, result is NaN%n" },
    [NOTE_QUANTILE_NAN_SKEW] = { INFO, "input to %t has NaN observations, result is skewed higher%n" },
    [NOTE_FRACTION_NAN] = { INFO,
                            "input to histogram_fraction has NaN observations, which are excluded from all "
                            "fractions%n" },
    [NOTE_FROM_SUMMARIES] = { WARNING, "samples before %t have expired, there it is answered from %m "
                                       "summaries" },
    [NOTE_EXPIRED] = { WARNING, "samples before %t have expired and are left out, as asked (rollup=never)" },
    [NOTE_CUSTOM_RECONCILED] = { INFO, "mismatched custom buckets were reconciled during %t" },
};
/* clang-format on */

void notes_init(struct notes *n, struct str query)
{
    *n = (struct notes){ .query = query, .arena = ARENA_INIT(1u << 20) };
    pthread_mutex_init(&n->mu, NULL);
    call_notes_init(&n->lost);
}

void notes_release(struct notes *n)
{
    map_release(&n->seen);
    arena_release(&n->arena);
    pthread_mutex_destroy(&n->mu);
    call_notes_release(&n->lost);
}

bool notes_any(struct notes *n)
{
    return n->n[WARNING] > 0 || n->n[INFO] > 0 || call_notes_any(&n->lost);
}

static void piece(struct buf *b, char what, const struct note *n)
{
    char number[FLOAT_TEXT_MAX];
    switch (what) {
    case 'm': lex_quote(b, n->metric, SIZE_MAX); break;
    case 't': buf_str(b, n->text); break;
    case 'q': lex_quote(b, n->text, SIZE_MAX); break;
    case 'f': buf_add(b, number, float_text(n->number, number)); break;
    case 'n':
        if (n->metric.n == 0) break;
        buf_cs(b, " for metric name ");
        lex_quote(b, n->metric, SIZE_MAX);
        break;
    default: check(!"known piece of a note");
    }
}

static struct str note_text(struct notes *all, const struct note *n)
{
    struct buf b = BUF_INIT(4096);
    buf_cs(&b, forms[n->id].kind == WARNING ? "PromQL warning: " : "PromQL info: ");
    for (const char *f = forms[n->id].form; *f; f++) {
        if (*f == '%')
            piece(&b, *++f, n);
        else
            buf_char(&b, *f);
    }
    int line, column;
    promql_position(all->query, n->pos, &line, &column);
    buf_printf(&b, " (%d:%d)", line, column);
    struct str text = arena_str(&all->arena, buf_view(&b));
    buf_release(&b);
    return text;
}

static uint64_t note_hash(const struct note *n)
{
    struct {
        uint64_t id, pos, metric, text, number;
    } key = { n->id, n->pos, hash64(n->metric.p, n->metric.n), hash64(n->text.p, n->text.n),
              double_bits(n->number) };
    return hash64(&key, sizeof key);
}

void notes_add(struct notes *all, struct note n)
{
    uint64_t hash = note_hash(&n);
    int kind = forms[n.id].kind;

    pthread_mutex_lock(&all->mu);
    if (map_find(&all->seen, hash, NULL, NULL) == NULL) {
        if (all->n[kind] < NOTES_KEPT) {
            map_add(&all->seen, hash, 0);
            all->texts[kind] =
                arena_grow(&all->arena, all->texts[kind], all->n[kind], &all->cap[kind], sizeof(struct str));
            all->texts[kind][all->n[kind]++] = note_text(all, &n);
        } else {
            all->skipped[kind]++;
        }
    }
    pthread_mutex_unlock(&all->mu);
}

static int by_text(const void *a, const void *b)
{
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

/* Sorted, so that the answer does not depend on which thread was first. */
static struct str *listed(struct notes *all, int kind, struct arena *a, size_t *n_out)
{
    size_t n = all->n[kind], shown = MIN(n, (size_t)NOTES_SHOWN), more = n - shown + all->skipped[kind];
    struct str *out = arena_array(a, shown + 1, sizeof *out);

    if (n) qsort(all->texts[kind], n, sizeof(struct str), by_text);
    for (size_t i = 0; i < shown; i++) out[i] = arena_str(a, all->texts[kind][i]);
    if (more)
        out[shown] =
            arena_printf(a, "%zu more %s annotations omitted", more, kind == WARNING ? "warning" : "info");
    *n_out = shown + (more > 0);
    return out;
}

void notes_finish(struct notes *all, struct arena *a, struct annotations *out)
{
    struct str *lost, *warnings;
    size_t n_lost = call_notes_list(&all->lost, a, &lost), n;
    warnings = listed(all, WARNING, a, &n);
    out->warnings = arena_array(a, n_lost + n + 1, sizeof *out->warnings);
    memcpy(out->warnings, lost, n_lost * sizeof *lost);
    memcpy(out->warnings + n_lost, warnings, n * sizeof *warnings);
    out->n_warnings = n_lost + n;
    out->infos = listed(all, INFO, a, &out->n_infos);
}
